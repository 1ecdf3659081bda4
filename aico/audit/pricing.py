"""What calls cost, and what the same tokens would have cost otherwise. US cents as floats; NaN where it is unknown."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from aico.audit.naming import Named
from aico.audit.rows import Row
from aico.core.usage import Usage
from aico.routing.prices import PriceBook

UNKNOWN = math.nan
_DAY = 86_400


class Pricer:
    """Prices of the day on which a call was made: what changes during a day counts from the next one."""

    def __init__(self, prices: PriceBook, now: datetime) -> None:
        self._prices = prices
        self._now = now.timestamp()
        self._day = lru_cache(maxsize=4096)(_moment)

    def list_cents(self, named: Named, usage: Usage | None, at: float | None) -> float:
        """At list prices, or at the operator's own. A log without times is priced today."""
        if usage is None or named.provider is None:
            return UNKNOWN
        day = self._day(int((self._now if at is None else at) // _DAY))
        price = self._prices.cost_cents(named.provider, named.name, usage, day)
        return UNKNOWN if price is None else float(price.cents)

    def cents(self, row: Row, listed: float) -> float:
        """As logged, else as listed."""
        return listed if row.logged_cents is None else row.logged_cents


def _moment(day: int) -> datetime:
    return datetime.fromtimestamp(day * _DAY, UTC)


def exact_cents(value: float) -> Decimal:
    """Rounded to a millionth of a cent, which takes the noise of binary fractions away."""
    return Decimal(repr(value)).quantize(Decimal("0.000001"))
