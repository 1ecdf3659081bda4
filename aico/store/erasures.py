"""Statements by which a tenant's data is erased, page by page; each may be repeated, and counts what it erased.

All run under the fence of the request. What is deleted is gone from every answer at once; Postgres frees the space
later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aico.core.jobs import JobStatus
from aico.store.data_requests import HeldRequest, fenced
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("erasures")

# Everything that names a job, by the column; the job itself comes first, so that whoever works on it is shut out.
# But for pairs, which would go with it and not be counted.
_OF_JOBS = (
    ("shadow_pairs", "job_id"),
    ("jobs", "id"),
    ("cache_checks", "job_id"),
    ("cache_entries", "job_id"),
    ("cache_entries", "asked_by"),
    ("idempotency_keys", "job_id"),
    ("feedback", "job_id"),
    ("outcomes", "job_id"),
    ("decisions", "job_id"),
    ("webhook_deliveries", "job_id"),
)

# What an erasure of everything deletes whole, by the primary key without the tenant.
_KEYS = {
    "cache_entries": ("id",),
    "cache_checks": ("job_id",),
    "cache_namespaces": ("namespace",),
    "shadow_pairs": ("job_id", "purpose"),
    "jobs": ("id",),
    "idempotency_keys": ("key",),
    "feedback": ("id",),
    "outcomes": ("job_id", "model"),
    "decisions": ("job_id",),
    "learner_statistics": ("kind", "model"),
    "learner_solutions": ("version",),
    "assignments": ("experiment_id", "unit"),
    "webhook_deliveries": ("id",),
    "batch_faults": ("batch_id", "line"),
    "batches": ("id",),
    "files": ("id",),
    "data_requests": ("id",),
    "metric_rollups": ("grain", "dimension", "bucket", "name"),
}
_CONDITIONS = {
    "data_requests": "o.kind = 'export'",
    "metric_rollups": "o.dimension = 'tag' and (%(tag)s::text is null or o.name = %(tag)s)",  # other names are ours
    "batches": "not exists (select from public.jobs j where j.tenant_id = o.tenant_id and j.batch_id = o.id)",
}
_SHOWN = {"jobs": "id, fence, status"}
_SUMS = 100_000  # more than there are models


@dataclass(frozen=True, slots=True)
class Erased:
    """A job that is to go, or has gone. `running`: it had not ended."""

    id: UUID
    fence: int
    running: bool


@dataclass(frozen=True, slots=True)
class Walked:
    """A job that was looked at."""

    job: Erased
    chosen: bool  # by the scope
    batch: UUID | None
    batch_open: bool
    namespace: bytes


def pick(
    held: HeldRequest,
    after: str,
    *,
    tag: str | None,
    job_ids: Sequence[UUID] | None,
    before: datetime | None,
    limit: int,
) -> Statement[Walked]:
    """The tenant's next `limit` jobs by age, and whether the scope means them. O(limit) along the primary key."""
    params = {
        "tenant": held.tenant,
        "after": after,
        "until": held.started_at,
        "tag": tag,
        "ids": None if job_ids is None else list(job_ids),
        "before": before,
        "limit": limit,
    }
    return Statement(_SQL["pick"], params, _walked)


def _walked(row: Row) -> Walked:
    return Walked(_erased(row), row["chosen"], row["batch_id"], row["batch_open"], row["namespace"])


def _erased(row: Row) -> Erased:
    return Erased(row["id"], row["fence"], not JobStatus(row["status"]).final)


def copies(held: HeldRequest, jobs: Sequence[UUID]) -> Statement[Erased]:
    """Jobs that the cache answered with an answer of one of these."""
    return Statement(_SQL["copies"], {"tenant": held.tenant, "jobs": list(jobs)}, _erased)


def stop_batches(held: HeldRequest, batches: Sequence[UUID]) -> Statement[UUID]:
    """Have their worker end them: only then can their files be deleted."""
    params = {"tenant": held.tenant, "batches": list(batches)}
    return Statement(_SQL["stop_batches"], params, lambda row: row["id"])


def end_batches(held: HeldRequest) -> Statement[None]:
    """End all that are open without a result: whoever works on one is shut out."""
    return Statement(_SQL["end_batches"], fenced(held), no_row)


def stop_learner(held: HeldRequest) -> list[Statement[Any]]:
    """Nothing that has been learned counts from now on; whoever learns is shut out.

    To be run in this order in one transaction: who takes the learner up next finds no sums to carry on.
    """
    return [
        Statement(_SQL["stop_learner"], fenced(held), no_row),
        rows(held, "learner_statistics", limit=_SUMS),
    ]


def answers_of(held: HeldRequest, jobs: Sequence[UUID]) -> Statement[None]:
    """What the cache serves again of these jobs, with the vectors."""
    return _of_jobs(held, jobs, "cache_entries", "job_id")


def of_jobs(
    held: HeldRequest, jobs: Sequence[UUID], batches: Sequence[UUID], namespaces: Sequence[bytes]
) -> list[Statement[Any]]:
    """These jobs and all that was made of them, and the files of their ended batches. To be run in this order.

    Namespaces of the cache are called by how the instructions of their jobs begin: those named here no longer are.
    """
    params = {**fenced(held), "jobs": list(jobs)}
    return [
        *(_of_jobs(held, jobs, noun, column) for noun, column in _OF_JOBS),
        Statement(_SQL["labels_of_jobs"], {"tenant": held.tenant, "namespaces": list(namespaces)}, no_row),
        Statement(_SQL["files_of_batches"], {**fenced(held), "batches": list(batches)}, no_row),
        Statement(_SQL["outbox_of_jobs"], params, no_row),
        Statement(_SQL["ledger_of_jobs"], params, no_row),
    ]


def _of_jobs(held: HeldRequest, jobs: Sequence[UUID], noun: str, column: str) -> Statement[None]:
    return Statement(_SQL["of_jobs"].format(noun=noun, column=column), {**fenced(held), "jobs": list(jobs)}, no_row)


def rows(held: HeldRequest, noun: str, *, limit: int) -> Statement[Erased | None]:
    """Delete up to `limit` rows of a table; a result each, which of jobs says which. `limit`: there may be more."""
    key = _KEYS[noun]
    text = _SQL["rows"].format(
        noun=noun,
        key=", ".join(key),
        of_t=", ".join(f"t.{column}" for column in key),
        of_old=", ".join(f"old.{column}" for column in key),
        condition=_CONDITIONS.get(noun, "true"),
        shown=_SHOWN.get(noun, "1 as one"),
    )
    params = {**fenced(held), "limit": limit, "tag": held.scope.get("tag")}
    return Statement(text, params, lambda row: _erased(row) if noun == "jobs" else None)


def ledger_page(held: HeldRequest, after: str, *, limit: int) -> list[Statement[Any]]:
    """Take all but the figures from the next attempts; the last returns how far it came, None at the end."""
    params = {**fenced(held), "after": after, "limit": limit}
    return [
        Statement(_SQL["outbox"], {"tenant": held.tenant}, no_row),
        Statement(_SQL["ledger_page"], params, lambda row: row["reached"]),
    ]


def leftovers(held: HeldRequest) -> list[Statement[Any]]:
    """Messages of providers, and live updates that are still kept."""
    return [
        Statement(_SQL["words_of_lanes"], {"tenant": held.tenant}, no_row),
        Statement(_SQL["realtime"], fenced(held), no_row),
    ]


def reach(held: HeldRequest, step: int, after: str) -> Statement[UUID]:
    """Remember how far it has come. No row: the claim is lost."""
    return Statement(_SQL["reach"], {**fenced(held), "step": step, "after": after}, lambda row: row["id"])


@dataclass(frozen=True, slots=True)
class Counted:
    counts: dict[str, int]
    requested_by: str


def counts(held: HeldRequest) -> Statement[Counted]:
    params = {"tenant": held.tenant, "id": held.id}
    return Statement(_SQL["counts"], params, lambda row: Counted(row["counts"], row["requested_by"]))


def complete(held: HeldRequest, sha256: str) -> Statement[UUID]:
    """No row: the claim is lost."""
    return Statement(_SQL["complete"], {**fenced(held), "sha256": sha256}, lambda row: row["id"])
