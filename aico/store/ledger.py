"""Statements about the ledger: booking what the outbox holds, and reading rollups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, AttemptOutcome, Baseline, Policy
from aico.core.money import round_cents
from aico.core.tokens import Pair
from aico.store.alerts import MISSING, AlertKind
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("ledger")
_NOTHING = Decimal(0)


def event_row(
    tenant: UUID, job: UUID, api_key: UUID | None, attempt: Attempt, policy: Policy | None = None
) -> dict[str, Any]:
    """One attempt as a row of the outbox; what `conclusion` gives is left out."""
    usage = attempt.usage
    return {
        "id": str(attempt.id),
        "tenant_id": str(tenant),
        "at": attempt.at.isoformat(),
        "job_id": str(job),
        "api_key_id": api_key and str(api_key),
        "kind": attempt.kind.value,
        "outcome": attempt.outcome.value,
        "provider": attempt.provider,
        "model": attempt.model,
        "latency_ms": attempt.latency_ms,
        "input_uncached": usage.input_uncached,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "cache_write_1h": usage.cache_write_1h,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "tier": usage.tier,
        "batch": usage.batch,
        "usage_raw": usage.raw,
        "cost_cents": _money(attempt.cost_cents),
        "price_version": attempt.price_version,
        "http_status": attempt.http_status,
        "error": attempt.error,
        "similarity": attempt.similarity,
        "strategy": policy and policy.strategy,
        "propensity": policy and policy.propensity,
        "assignment_unit": policy and policy.assignment_unit,
        "policy_version": policy and policy.version,
        "key_source": attempt.key_source.value,
        "text_tokens": attempt.text_tokens,
        "concludes": False,
    }


def conclusion(
    last: Attempt, baseline: Baseline | None, arms: Sequence[str] = (), job_cents: Decimal = _NOTHING
) -> dict[str, Any]:
    """What is said of a job as a whole, in the row of its last attempt. The baseline counts where that answered."""
    counted = baseline if last.outcome is AttemptOutcome.OK else None
    return {
        "baseline_model": counted and counted.model,
        "baseline_cost_cents": counted and _money(counted.cost_cents),
        "arms": list(arms) or None,
        "job_cents": _money(job_cents) if arms else None,
        "concludes": True,
    }


def _money(cents: Decimal | None) -> str | None:
    return None if cents is None else str(round_cents(cents))


def book(tenants: Sequence[UUID], jobs: Sequence[UUID]) -> Statement[int]:
    """Move these jobs' events from the outbox to the ledger, its rollups and the totals. Repeating it changes nothing.

    The rows are already in Postgres, so they never leave it: one statement, O(events) index entries.
    """
    return Statement(_SQL["book"], _booking(tenants, jobs), lambda row: row["booked"])


def book_counted(tenants: Sequence[UUID], jobs: Sequence[UUID]) -> Statement[Sequence[Pair]]:
    """As `book`, with the token counts of what was booked, to learn from: once for each attempt."""
    return Statement(_SQL["book"], _booking(tenants, jobs), lambda row: [Pair(*one) for one in row["pairs"]])


def _booking(tenants: Sequence[UUID], jobs: Sequence[UUID]) -> dict[str, Any]:
    explanations = Jsonb(dict(MISSING))
    return {
        "tenants": list(tenants),
        "jobs": list(jobs),
        "price_unknown": AlertKind.PRICE_UNKNOWN,
        "explanations": explanations,
    }


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of a job, booked or about to be."""

    id: UUID
    at: datetime
    kind: str
    outcome: str
    provider: str
    model: str
    latency_ms: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_cents: Decimal | None
    http_status: int | None
    error: str | None
    similarity: float | None
    batch: bool
    key_source: str


def of_job(tenant: UUID, job: UUID, *, since: datetime, limit: int) -> Statement[Tried]:
    """What was tried for a job that was made at `since`, the earliest first. O(attempts) index entries."""
    params = {"tenant": tenant, "job": job, "since": since, "limit": limit}
    return Statement(_SQL["of_job"], params, lambda row: Tried(**row))


@dataclass(frozen=True, slots=True)
class LateEvent:
    tenant: UUID
    job: UUID


def late(*, quiet_seconds: float, limit: int) -> Statement[LateEvent]:
    """Events that nobody booked for `quiet_seconds`."""
    params = {"quiet": quiet_seconds, "limit": limit}
    return Statement(_SQL["late"], params, lambda row: LateEvent(row["tenant_id"], row["job_id"]))


def pending(tenant: UUID) -> Statement[int]:
    """How many of the tenant's events wait to be booked."""
    return Statement(_SQL["pending"], {"tenant": tenant}, lambda row: row["pending"])


@dataclass(frozen=True, slots=True)
class SummaryRow:
    kind: str
    provider: str
    model: str
    attempts: int
    answered: int
    failed: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    latency_ms_sum: int


def summary(
    tenant: UUID, *, grain: Literal["minute", "day"], since: datetime, until: datetime
) -> Statement[SummaryRow]:
    """Rollups of a period, one row for each kind, provider and model. Never reads the ledger itself."""
    params = {"tenant": tenant, "grain": grain, "since": since, "until": until}
    return Statement(_SQL["summary"], params, _summary_row)


def _summary_row(row: Row) -> SummaryRow:
    return SummaryRow(**row)


def ensure_partitions() -> Statement[None]:
    return Statement(_SQL["ensure_partitions"], {}, no_row)
