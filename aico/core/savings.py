"""What was saved, found in two ways: against a price list, and against jobs that were answered without us.

The first compares each answer with what the same tokens would have cost at the baseline model: it takes for granted
that the baseline would have used as many. The second takes nothing for granted: chance decided who was held out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aico.core.assignment import HELD_OUT, ROUTED
from aico.core.estimates import NOTHING, Estimate, Interval, Moments, difference, ratio
from aico.core.money import round_cents

HOLDOUT, LIST_PRICE = "holdout", "list_price_baseline"
ENOUGH = 30  # jobs of each arm before their difference is shown: fewer tell nothing of such skewed costs


@dataclass(frozen=True, slots=True)
class Spending:
    """Sums of a tenant's attempts in a period; money in US cents."""

    answers: int
    unpriced_attempts: int
    cost_cents: Decimal  # with routing's own
    baseline_cost_cents: Decimal
    unpriced_baseline_cents: Decimal  # of the answers whose own cost is unknown; contained in the one above
    shadow_cents: Decimal = Decimal(0)  # what other models would have said; contained in the cost
    judge_cents: Decimal = Decimal(0)  # which answer was better; likewise

    @property
    def own_cents(self) -> Decimal:
        """What routing itself costs, beside the answers."""
        return self.shadow_cents + self.judge_cents

    @property
    def saved_cents(self) -> Decimal:
        """By the price list; negative where it cost more. An answer of unknown cost counts on neither side."""
        return self.baseline_cost_cents - self.unpriced_baseline_cents - self.cost_cents


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """Of the jobs that ended in one arm of the holdout."""

    answered: int = 0
    failed: int = 0
    unpriced: int = 0  # jobs of unknown cost, which `cents` holds as free
    cents: Moments = NOTHING  # a job's attempts together
    latency_ms: Moments = NOTHING
    quality: Moments = NOTHING  # of those that somebody judged, 0..1

    @property
    def jobs(self) -> int:
        return self.answered + self.failed

    @property
    def priced(self) -> Moments:
        """Costs of those that have a known one."""
        return Moments(self.cents.n - self.unpriced, self.cents.total, self.cents.squares)

    def priced_at(self, cents: float) -> Moments:
        """Costs of all, where each that is not known is taken to be so much."""
        total, squares = self.unpriced * cents, self.unpriced * cents * cents
        return Moments(self.cents.n, self.cents.total + total, self.cents.squares + squares)


NO_JOBS = ArmFigures()


@dataclass(frozen=True, slots=True)
class Measured:
    """By the holdout. `cents` is for all routed jobs of the period, less what routing itself costs."""

    cents_per_job: Estimate
    share: Estimate | None  # of what the baseline costs; None where that is not clearly above zero
    cents: Estimate
    quality: Estimate | None  # routed less baseline; None where too few were judged


def measure(arms: Mapping[str, ArmFigures], own_cents: Decimal) -> Measured | None:
    """From the holdout's arms by name. None while either has fewer jobs than ENOUGH whose cost is known.

    A routed job of unknown cost has saved nothing: it counts as the baseline's mean.
    """
    baseline, routed = arms.get(HELD_OUT, NO_JOBS), arms.get(ROUTED, NO_JOBS)
    usual = baseline.priced
    if min(usual.n, routed.priced.n) < ENOUGH:
        return None
    ours = routed.priced_at(usual.mean)
    per_job = difference(usual, ours)
    if per_job is None:
        return None
    spent = ratio(ours, usual)
    judged = min(baseline.quality.n, routed.quality.n) >= ENOUGH
    return Measured(
        cents_per_job=per_job,
        share=None if spent is None else _rest(spent),
        cents=_scaled(per_job, routed.jobs, float(own_cents)),
        quality=difference(routed.quality, baseline.quality) if judged else None,
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """How much may be said to have been saved, and how that was found."""

    method: str
    cents: Decimal  # never negative
    excluded_cents: Decimal  # of the baseline: nothing can be shown for these answers


def verified_savings(spending: Spending, measured: Measured | None) -> Verified:
    """The least that the holdout bears out, where it has measured; else the difference to the price list.

    A month that cost more saves nothing. Whoever reads it is told the method.
    """
    if measured is not None:
        least = round_cents(Decimal(repr(measured.cents.interval.low)))
        return Verified(HOLDOUT, max(least, Decimal(0)), spending.unpriced_baseline_cents)
    return Verified(LIST_PRICE, max(spending.saved_cents, Decimal(0)), spending.unpriced_baseline_cents)


def _rest(spent: Estimate) -> Estimate:
    return Estimate(1 - spent.value, Interval(1 - spent.interval.high, 1 - spent.interval.low))


def _scaled(one: Estimate, jobs: int, less: float) -> Estimate:
    low, high = one.interval.low * jobs - less, one.interval.high * jobs - less
    return Estimate(one.value * jobs - less, Interval(low, high))
