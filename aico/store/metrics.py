"""Statements about what a dashboard shows: sums of the rollups, never of the ledger, and word of what changed."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from aico.core.metrics import MINUTES_KEPT, SECONDS_KEPT, Dimension, Period
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("metrics")


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the attempts that ended in a bucket, or in all of a period; money in US cents."""

    name: str  # along the dimension; empty without one
    at: datetime | None  # the bucket; None: the whole period
    requests: int  # jobs that ended with an attempt, but for cancelled ones
    answered: int
    exact_hits: int
    semantic_hits: int
    shared_hits: int
    attempts: int
    failed_attempts: int
    unpriced_attempts: int
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    baseline_cost_cents: Decimal  # of attempts whose own cost is known
    latency_ms_p50: int | None
    latency_ms_p95: int | None


NOTHING = Sums("", None, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Decimal(0), Decimal(0), None, None)
_COLUMNS = tuple(field.name for field in fields(Sums))


def total(tenant: UUID, period: Period) -> Statement[Sums]:
    """All together: one row, or none where nothing ended. O(buckets)."""
    return _sums(tenant, period, None, timed=False, most=1)


def series(tenant: UUID, period: Period, by: Dimension | None, *, most: int) -> Statement[Sums]:
    """A row for each name and each bucket in which something ended; as `breakdown` says. O(buckets x names)."""
    return _sums(tenant, period, by, timed=True, most=most)


def breakdown(tenant: UUID, period: Period, by: Dimension, *, most: int) -> Statement[Sums]:
    """A row for each of the `most` dearest names, dearest first, and one for all others. O(buckets x names)."""
    return _sums(tenant, period, by, timed=False, most=most)


def _sums(tenant: UUID, period: Period, by: Dimension | None, *, timed: bool, most: int) -> Statement[Sums]:
    params = {
        "tenant": tenant,
        "grain": period.grain,
        "since": period.since,
        "until": period.until,
        "by": by or "",
        "dimension": _kept_as(by),
        "timed": timed,
        "most": most,
    }
    return Statement(_SQL["sums"], params, _row)


def _kept_as(by: Dimension | None) -> Dimension:
    """Each attempt has one lever, so those add up to all; a model's name begins with its provider's."""
    return {None: Dimension.LEVER, Dimension.PROVIDER: Dimension.MODEL}.get(by) or by or Dimension.LEVER


def _row(row: Row) -> Sums:
    return Sums(**{name: row[name] for name in _COLUMNS})


def seq(tenant: UUID) -> Statement[int]:
    """Of the latest tick; 0: there was none. What is read after it is not older than that tick."""
    return Statement(_SQL["seq"], {"tenant": tenant}, lambda row: row["seq"])


@dataclass(frozen=True, slots=True)
class Told:
    tenants: int
    next_in: float | None  # seconds until some are to be told again; None: nothing is left to be told


def tell(*, limit: int) -> Statement[Told]:
    """Send their ticks to up to `limit` tenants that are due. Cheap where none is: a look at an empty index."""
    return Statement(_SQL["tell"], {"limit": limit}, lambda row: Told(row["told"], row["next_in"]))


def purge(*, limit: int) -> Statement[int]:
    """Delete up to `limit` rows of seconds and minutes that are kept no longer; returns how many."""
    params = {"seconds": SECONDS_KEPT, "minutes": MINUTES_KEPT, "limit": limit}
    return Statement(_SQL["purge"], params, lambda row: row["purged"])
