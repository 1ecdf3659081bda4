"""Statements about all tenants' waiting jobs, for the sweeper, the feeder and health: ids, states and counts alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aico.core.jobs import JobClass, Stage
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("backlog")


@dataclass(frozen=True, slots=True)
class Ready:
    """A job for which a bell is to ring."""

    tenant: UUID
    id: UUID
    stage: Stage
    job_class: JobClass


def _ready(row: Row) -> Ready:
    return Ready(row["tenant_id"], row["id"], Stage(row["stage"]), JobClass(row["class"]))


@dataclass(frozen=True, slots=True)
class LostBell:
    job: Ready
    rung_at: datetime  # by the database's clock, now


def lost_bells(
    idle: Sequence[JobClass],
    *,
    quiet_seconds: float,
    silent_seconds: float,
    limit: int,
    as_of: datetime | None = None,
) -> Statement[LostBell]:
    """Jobs to ring again: silent for `quiet_seconds` where the queue of their class is empty, else `silent_seconds`.

    Whoever asks for the rest gives the first answer's `rung_at` as `as_of`: what it rang is not late.
    """
    params = {
        "idle": [job_class.value for job_class in idle],
        "quiet": quiet_seconds,
        "silent": silent_seconds,
        "limit": limit,
        "as_of": as_of,
    }
    return Statement(_SQL["lost_bells"], params, lambda row: LostBell(_ready(row), row["rung_at"]))


def due(*, limit: int) -> Statement[Ready]:
    """Jobs that were held and may run now; they are held no longer."""
    return Statement(_SQL["due"], {"limit": limit}, _ready)


def anyone_waits() -> Statement[bool]:
    """Whether any job waits for its turn."""
    return Statement(_SQL["anyone_waits"], {}, lambda row: row["waits"])


def admit() -> Statement[Ready]:
    """Let the jobs through whose turn it is, as many as have room. No row too where another feeder is at it."""
    return Statement(_SQL["admit"], {}, _ready)


def resize_pools(slots: int) -> Statement[None]:
    """How many jobs may be under way, for route workers that together make `slots` calls at once."""
    return Statement(_SQL["resize_pools"], {"slots": slots}, no_row)


@dataclass(frozen=True, slots=True)
class Overdue:
    tenant: UUID
    id: UUID


def end_overdue(*, max_losses: int, limit: int) -> Statement[Overdue]:
    """Jobs whose deadline has passed, or over which too many workers died: they have ended."""
    params = {"max_losses": max_losses, "limit": limit}
    return Statement(_SQL["end_overdue"], params, lambda row: Overdue(row["tenant_id"], row["id"]))


def purge(*, kept_days: int, limit: int) -> Statement[int]:
    """Delete jobs that ended longer ago, and expired idempotency keys. Returns how many; `limit`: there may be more."""
    return Statement(_SQL["purge"], {"days": kept_days, "limit": limit}, lambda row: row["purged"])
