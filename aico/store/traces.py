"""What a trace says of a job that has ended: figures and names, and none of its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("traces")


@dataclass(frozen=True, slots=True)
class EndedJob:
    id: UUID
    tenant: UUID
    traceparent: str | None  # of the request that made it
    job_class: str
    surface: str
    status: str
    created_at: datetime
    finished_at: datetime
    retries: int = 0
    error: str | None = None  # code
    provider: str | None = None
    model: str | None = None
    strategy: str | None = None
    cache: str | None = None
    lane: str | None = None
    similarity: float | None = None
    cost_cents: Decimal | None = None
    baseline_cost_cents: Decimal | None = None
    attempts: int = 0
    put_back: Sequence[tuple[datetime, str]] = ()  # when, and the reason


def ended(tenants: Sequence[UUID], jobs: Sequence[UUID]) -> Statement[EndedJob]:
    """Of these jobs those that have ended and are still there."""
    return Statement(_SQL["ended"], {"tenants": list(tenants), "ids": list(jobs)}, _ended)


def _ended(row: Row) -> EndedJob:
    times, reasons = row.pop("put_back_at"), row.pop("reasons")
    named = {"tenant": row.pop("tenant_id"), "job_class": row.pop("class")}
    return EndedJob(**row, **named, put_back=tuple(zip(times, reasons, strict=True)))
