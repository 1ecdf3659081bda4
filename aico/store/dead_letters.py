"""Statements about dead letters: jobs that failed or expired, and that nobody has replayed yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.jobs import Job, JobClass, JobStatus
from aico.core.quotas import Refusal
from aico.store.jobs import job_of
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("dead_letters")


@dataclass(frozen=True, slots=True)
class Filter:
    """What is None or empty does not matter; times are those of creation."""

    ids: Sequence[UUID] | None = None
    status: JobStatus | None = None  # FAILED or EXPIRED
    job_class: JobClass | None = None
    error_code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def page(
    tenant: UUID,
    *,
    after: UUID | None,
    status: JobStatus | None,
    job_class: JobClass | None,
    error_code: str | None,
    limit: int,
) -> Statement[Job]:
    """Newest first, strictly older than `after`. Walks the index of dead letters alone."""
    params = {
        "tenant": tenant,
        "after": after,
        "status": status and status.value,
        "class": job_class and job_class.value,
        "error_code": error_code,
        "limit": limit,
    }
    return Statement(_SQL["dead"], params, job_of)


@dataclass(frozen=True, slots=True)
class Replayed:
    """With a `refusal` the letter stays one: a quota has no room for its replay."""

    old: UUID
    new: UUID
    refusal: Refusal | None = None


def replay(tenant: UUID, chosen: Filter, new_ids: Sequence[UUID], api_key: UUID | None) -> Statement[Replayed]:
    """Submit the oldest of the chosen letters anew, as many as there are `new_ids`; each letter only once.

    A replay has its letter's request, class and time to live, and waits for its turn like any other job.
    """
    params = {
        "tenant": tenant,
        "ids": None if chosen.ids is None else list(chosen.ids),
        "status": chosen.status and chosen.status.value,
        "class": chosen.job_class and chosen.job_class.value,
        "error_code": chosen.error_code,
        "since": chosen.since,
        "until": chosen.until,
        "metadata": Jsonb(chosen.metadata),
        "new_ids": list(new_ids),
        "api_key_id": api_key,
    }
    return Statement(_SQL["replay"], params, _replayed)


def _replayed(row: Row) -> Replayed:
    return Replayed(row["old_id"], row["new_id"], Refusal.of(row["refusal"]) if row["refusal"] else None)
