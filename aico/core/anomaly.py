"""Whether an hour's spend stands out from the same hour of the days before, by statistics that no outlier bends."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from aico.core.money import round_cents

LEAST_DAYS = 7  # with fewer nobody knows what is usual
LEAST_CENTS = Decimal(100)  # above the median: less is nobody's alarm
LEAST_SCORE = Decimal(5)
# The median absolute deviation of normally distributed values is this share of their standard deviation.
_NORMAL = Decimal("0.6745")
# Where the days before are all alike, not each cent stands out: they count as spread by so much at least.
_LEAST_SHARE = Decimal("0.05")  # of the median
_LEAST_SPREAD = LEAST_CENTS / LEAST_SCORE * _NORMAL  # LEAST_CENTS more score LEAST_SCORE


@dataclass(frozen=True, slots=True)
class Anomaly:
    """US cents. `score` is the distance from the median, in robust standard deviations."""

    spent: Decimal
    median: Decimal
    deviation: Decimal  # median absolute deviation of the days before
    score: Decimal
    days: int

    @property
    def explanation(self) -> str:
        return (
            f"{_shown(self.spent)} cents were spent in this hour. The same hour of the {self.days} days before took "
            f"{_shown(self.median)} in the median, and differed from that by {_shown(self.deviation)} in the median: "
            f"this is {self.score:.1f} robust standard deviations above, and {LEAST_SCORE} count as unusual."
        )


def find_anomaly(spent: Decimal, earlier: Sequence[Decimal]) -> Anomaly | None:
    """`earlier` has the spends of the same hour on the days before, in any order. None: nothing out of the ordinary."""
    if len(earlier) < LEAST_DAYS:
        return None
    usual = median(earlier)
    deviation = median(abs(one - usual) for one in earlier)
    score = _NORMAL * (spent - usual) / max(deviation, _LEAST_SHARE * usual, _LEAST_SPREAD)
    if score < LEAST_SCORE:
        return None
    return Anomaly(spent, usual, deviation, score, len(earlier))


def _shown(cents: Decimal) -> str:
    return f"{round_cents(cents):.2f}"
