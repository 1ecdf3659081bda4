"""Statements about all tenants' waiting jobs, for the sweeper and for health: ids, states and counts alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aico.core.jobs import JobClass
from aico.store.statement import Statement, named_sql

_SQL = named_sql("backlog")


@dataclass(frozen=True, slots=True)
class LostBell:
    tenant: UUID
    id: UUID
    stage: str
    job_class: JobClass


def lost_bells(
    idle: Sequence[JobClass], *, quiet_seconds: float, silent_seconds: float, limit: int
) -> Statement[LostBell]:
    """Jobs to ring again: silent for `quiet_seconds` where the queue of their class is empty, else `silent_seconds`."""
    params = {
        "idle": [job_class.value for job_class in idle],
        "quiet": quiet_seconds,
        "silent": silent_seconds,
        "limit": limit,
    }
    return Statement(
        _SQL["lost_bells"],
        params,
        lambda row: LostBell(row["tenant_id"], row["id"], row["stage"], JobClass(row["class"])),
    )


def end_overdue(*, max_claims: int, limit: int) -> Statement[UUID]:
    return Statement(_SQL["end_overdue"], {"max_claims": max_claims, "limit": limit}, lambda row: row["id"])


@dataclass(frozen=True, slots=True)
class QueueAge:
    job_class: JobClass
    waiting: int  # counted up to 10,000
    oldest_seconds: float


def queue_ages() -> Statement[QueueAge]:
    return Statement(
        _SQL["queue_ages"],
        {},
        lambda row: QueueAge(JobClass(row["class"]), row["waiting"], row["oldest_seconds"]),
    )
