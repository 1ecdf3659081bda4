"""The operator's share of what a tenant has saved."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal

from aico.core.metering import LATE
from aico.core.money import CENT_PLACES

METHOD = "list_price_baseline"


@dataclass(frozen=True, slots=True)
class Spending:
    """Sums of a tenant's attempts in a period, by call and by cache; money in US cents."""

    answers: int
    unpriced_attempts: int
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    unpriced_baseline_cents: Decimal  # of the answers whose own cost is unknown; contained in the one above


@dataclass(frozen=True, slots=True)
class Savings:
    """How much has been saved, and how that was found."""

    method: str
    cents: Decimal  # never negative
    excluded_cents: Decimal  # of the baseline: nothing can be shown for these answers


def verified_savings(spending: Spending) -> Savings:
    """What the answers would have cost at the baseline model's list price, less what all attempts did cost.

    Where an answer's own cost is unknown, its baseline does not count. A month that cost more saves nothing.
    This is an estimate by list prices, and the one place to put a better one: whoever reads it is told the method.
    """
    counted = spending.baseline_cost_cents - spending.unpriced_baseline_cents
    return Savings(METHOD, max(counted - spending.cost_cents, Decimal(0)), spending.unpriced_baseline_cents)


def share_of(savings: Savings, rate: Decimal) -> Decimal:
    """In US cents, rounded down at the ledger's resolution, so in the tenant's favour. `rate` is a fraction."""
    return (savings.cents * rate).quantize(CENT_PLACES, ROUND_DOWN)


def month_of(text: str) -> tuple[datetime, datetime]:
    """The first moment of a month such as `2026-11`, UTC, and that of the next. Raises ValueError."""
    first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    return first, following(first)


def following(first: datetime) -> datetime:
    """The first moment of the next month. Raises ValueError after the last that there is."""
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def this_month(now: datetime) -> str:
    return f"{now:%Y-%m}"


def is_final(until: datetime, now: datetime, *, pending_events: int) -> bool:
    """Whether nothing more is expected of a month that ends at `until`."""
    return not pending_events and now >= until + LATE
