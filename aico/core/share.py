"""The operator's share of what a tenant has saved."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from aico.core.metering import LATE
from aico.core.money import CENT_PLACES

MONTH_PATTERN = r"^2[0-9]{3}-(0[1-9]|1[0-2])$"


def share_of(saved_cents: Decimal, rate: Decimal) -> Decimal:
    """In US cents, rounded down at the ledger's resolution, so in the tenant's favour. `rate` is a fraction."""
    return (saved_cents * rate).quantize(CENT_PLACES, ROUND_DOWN)


def month_of(text: str) -> tuple[datetime, datetime]:
    """The first moment of a month such as `2026-11`, UTC, and that of the next. Raises ValueError."""
    first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    return first, following(first)


def following(first: datetime) -> datetime:
    """The first moment of the next month. Raises ValueError after the last that there is."""
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def first_day_after(until: datetime) -> date:
    """The first day, UTC, of which no moment lies before `until`."""
    return (until - datetime.resolution).date() + timedelta(days=1)


def this_month(now: datetime) -> str:
    return f"{now:%Y-%m}"


def is_final(until: datetime, now: datetime, *, pending_events: int) -> bool:
    """Whether nothing more is expected of a month that ends at `until`."""
    return not pending_events and now >= until + LATE
