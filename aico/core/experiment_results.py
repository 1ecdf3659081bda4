"""What an experiment has shown so far: each arm's means and what tells it from the control. Pure, from sums alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from aico.core.assignment import Arm
from aico.core.estimates import Estimate, Interval, Mean
from aico.core.experiments import Metric, Plan, control_of
from aico.core.sequential import Clusters, Sequential

LEAST_UNITS = 20  # of an arm, before their variance means anything
_NO_SPREAD = "the jobs do not differ enough to tell their spread, or the control's mean is not clearly above zero"
_OPEN = "the interval still holds both a change that matters and none"
SUSPICION = 0.001  # of a split that is not the one that was asked for


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What is known of an arm. `means` has Moments of jobs, or Clusters of units that make several."""

    arm: Arm
    jobs: int
    failed: int
    unpriced: int
    units: int | None  # None: each job is one
    means: Mapping[Metric, Mean]

    @property
    def size(self) -> int:
        """How often chance decided for it."""
        return self.jobs if self.units is None else self.units


class Verdict(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENT = "no_different"  # by less than the minimum effect
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of an arm with the control. `change` is the share by which its mean differs, of metrics where that is told."""

    arm: str
    metric: Metric
    difference: Estimate | None
    change: Estimate | None
    verdict: Verdict
    early: str = ""  # why nothing is concluded yet

    @property
    def why(self) -> str:
        """It is undecided; else empty."""
        return self.early or (_OPEN if self.verdict is Verdict.UNDECIDED else "")

    @property
    def effect(self) -> Interval | None:
        """What verdicts and margins go by, turned so that more is better."""
        of = self.change if self.metric.relative else self.difference
        if of is None:
            return None
        return of.interval if self.metric is Metric.QUALITY else Interval(-of.interval.high, -of.interval.low)


@dataclass(frozen=True, slots=True)
class Split:
    """Whether chance has parted the units as the weights say, among arms that have not ended."""

    expected: Mapping[str, float]
    observed: Mapping[str, int]
    p: float  # Pearson's chi-square test, for one look
    anytime_p: float  # for any number of looks

    @property
    def suspicious(self) -> bool:
        return self.anytime_p < SUSPICION


@dataclass(frozen=True, slots=True)
class Results:
    estimates: Mapping[str, Mapping[Metric, Estimate | None]]  # by arm
    comparisons: tuple[Comparison, ...]
    split: Split

    def of(self, metric: Metric) -> list[Comparison]:
        return [one for one in self.comparisons if one.metric is metric]


def evaluate(plan: Plan, figures: Sequence[ArmFigures]) -> Results:
    """`figures` of all arms, the control among them. O(arms)."""
    control = control_of(tuple(one.arm for one in figures))
    by_name = {one.arm.name: one for one in figures}
    others = [one for one in figures if one.arm is not control]
    alone = Sequential(plan.alpha, plan.tuned / 2)
    together = Sequential(plan.alpha / len(others), plan.tuned)  # all differences of a metric hold together
    return Results(
        {one.arm.name: {metric: _mean(alone, metric, one) for metric in Metric} for one in figures},
        tuple(_compare(plan, together, metric, one, by_name[control.name]) for one in others for metric in Metric),
        _split([one for one in figures if one.arm.ended is None]),
    )


def _mean(sequence: Sequential, metric: Metric, of: ArmFigures) -> Estimate | None:
    mean = of.means[metric]
    return sequence.bounded_mean(mean) if _bounded(metric, mean) else sequence.mean(mean)


def _bounded(metric: Metric, mean: Mean) -> bool:
    return not metric.relative and not isinstance(mean, Clusters)


def _compare(plan: Plan, sequence: Sequential, metric: Metric, arm: ArmFigures, control: ArmFigures) -> Comparison:
    a, b = arm.means[metric], control.means[metric]
    difference = sequence.bounded_difference(a, b) if _bounded(metric, a) else sequence.difference(a, b)
    ratio = sequence.ratio(a, b) if metric.relative else None
    change = ratio and Estimate(ratio.value - 1, Interval(ratio.interval.low - 1, ratio.interval.high - 1))
    compared = Comparison(
        arm.arm.name, metric, difference, change, Verdict.UNDECIDED, _early(plan, metric, arm, control)
    )
    if compared.early:
        return compared
    if compared.effect is None:
        return replace(compared, early=_NO_SPREAD)
    return replace(compared, verdict=_verdict(compared.effect, plan.minimum_effect))


def _early(plan: Plan, metric: Metric, arm: ArmFigures, control: ArmFigures) -> str:
    """Why nothing is concluded yet; else empty."""
    for one in (arm, control):
        n = one.means[metric].n
        if n < plan.minimum_per_arm:
            return f"{one.arm.name} has {n} observations of {plan.minimum_per_arm} at least"
        if one.units is not None and one.units < LEAST_UNITS:
            return f"{one.arm.name} has {one.units} units of {LEAST_UNITS} at least"
        if metric is Metric.COST and one.unpriced:
            return f"the cost of {one.unpriced} jobs of {one.arm.name} is not known"
    return ""


def _verdict(effect: Interval, least: float) -> Verdict:
    """Of an effect of which more is better."""
    if effect.low > least:
        return Verdict.BETTER
    if effect.high < -least:
        return Verdict.WORSE
    return Verdict.NO_DIFFERENT if -least <= effect.low and effect.high <= least and least else Verdict.UNDECIDED


def _split(figures: Sequence[ArmFigures]) -> Split:
    weights = [one.arm.weight for one in figures]
    shares = [weight / sum(weights) for weight in weights]
    counts = [one.size for one in figures]
    n = sum(counts)
    statistic = sum((count - n * share) ** 2 / (n * share) for count, share in zip(counts, shares, strict=True) if n)
    return Split(
        {one.arm.name: share for one, share in zip(figures, shares, strict=True)},
        {one.arm.name: one.size for one in figures},
        chi_square_tail(statistic, len(figures) - 1),
        anytime_p(counts, shares),
    )


def chi_square_tail(statistic: float, freedom: int) -> float:
    """Probability that a chi-square variable is greater. The sums are Abramowitz and Stegun's, 26.4.4 and 26.4.5."""
    if freedom < 1:
        return 1.0
    half = statistic / 2
    odd = freedom % 2
    tail = math.erfc(math.sqrt(half)) if odd else math.exp(-half)
    start = 0.5 if odd else 1.0
    term = math.exp(-half) * math.sqrt(half) / math.gamma(1.5) if odd else math.exp(-half) * half
    for step in range((freedom - 1) // 2):
        tail += term
        term *= half / (start + step + 1)
    return min(1.0, tail)


def anytime_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """One over the Bayes factor of any shares against these, whose prior is even: Lindon and Malek (2020), section 2.

    As a martingale it is below p at some time with a probability of at most p.
    """
    arms, n = len(counts), sum(counts)
    evidence = math.lgamma(arms) - math.lgamma(arms + n)
    evidence += sum(
        math.lgamma(1 + count) - count * math.log(share) for count, share in zip(counts, shares, strict=True)
    )
    return math.exp(-max(0.0, min(evidence, 700.0)))
