"""What an experiment shows, and the rules by which it ends, over simulated trials that are looked at every day."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from aico.core.assignment import Arm, ArmEnd
from aico.core.estimates import Moments
from aico.core.experiment_results import ArmFigures, Results, Verdict, anytime_p, chi_square_tail, evaluate
from aico.core.experiment_rules import Step, next_step
from aico.core.experiments import Guard, Metric, Plan
from aico.core.sequential import Clusters

START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS, DAILY = 28, 200  # jobs a day, in all arms together
ALPHA = 0.05


def moments(values: Sequence[float]) -> Moments:
    return Moments(len(values), math.fsum(values), math.fsum(value * value for value in values))


def figures(name: str, costs: Sequence[float], good: int = 0, judged: int = 0, failed: int = 0) -> ArmFigures:
    jobs = len(costs)
    return ArmFigures(
        Arm(name=name, control=name == "control"),
        jobs=jobs,
        failed=failed,
        unpriced=0,
        units=None,
        means={
            Metric.COST: moments(costs),
            Metric.LATENCY: moments([1.0] * (jobs - failed)),
            Metric.QUALITY: Moments(judged, good, good),
            Metric.FAILURES: Moments(jobs, failed, failed),
        },
    )


def spread(mean: float, n: int) -> list[float]:
    """Costs of that mean that differ."""
    return [mean * 0.5, mean * 1.5] * (n // 2)


def stepped(plan: Plan, arms: Sequence[ArmFigures], days: float = 1.0) -> tuple[Results, Step]:
    results = evaluate(plan, arms)
    step = next_step(
        plan,
        tuple(one.arm for one in arms),
        results,
        jobs=sum(one.jobs for one in arms),
        started_at=START,
        now=START + timedelta(days=days),
    )
    return results, step


class Trial:
    """Jobs with costs and judged answers, whose arms differ by a factor of the cost and in the rate of good answers."""

    def __init__(self, seed: int, costs: Sequence[float], good: Sequence[float]) -> None:
        rng = np.random.default_rng(seed)
        jobs = DAYS * DAILY
        self.arm = rng.integers(0, len(costs), jobs)
        self.cost = rng.lognormal(0, 1, jobs) * np.asarray(costs)[self.arm]
        self.good = (rng.random(jobs) < np.asarray(good)[self.arm]).astype(float)
        self.names = ("control", *(f"arm {number}" for number in range(1, len(costs))))

    def days(self) -> Iterator[list[ArmFigures]]:
        sums = [[np.zeros(5) for _ in self.names]]
        for first, last in pairwise(range(0, DAYS * DAILY + 1, DAILY)):
            today = []
            for number, before in enumerate(sums[-1]):
                of = self.arm[first:last] == number
                cost, good = self.cost[first:last][of], self.good[first:last][of]
                today.append(before + np.array([len(cost), cost.sum(), (cost**2).sum(), good.sum(), 0]))
            sums.append(today)
            yield [self._figures(name, *one) for name, one in zip(self.names, today, strict=True)]

    def _figures(self, name: str, n: float, cost: float, squares: float, good: float, _: float) -> ArmFigures:
        jobs = int(n)
        means = {Metric.COST: Moments(jobs, cost, squares), Metric.QUALITY: Moments(jobs, good, good)}
        means |= {Metric.LATENCY: Moments(jobs, jobs, jobs), Metric.FAILURES: Moments(jobs, 0.0, 0.0)}
        return ArmFigures(Arm(name=name, control=name == "control"), jobs, 0, 0, None, means)


def ends(plan: Plan, trial: Trial) -> tuple[int, Step]:
    """The first day on which something is done."""
    for day, arms in enumerate(trial.days(), start=1):
        step = stepped(plan, arms, day)[1]
        if step:
            return day, step
    pytest.fail("an experiment ends at the latest after its last day")


def decided(step: Step) -> bool:
    return step.stop is not None and "decided" in step.stop


def most(rate: float, of: int) -> float:
    """Three standard errors above what is allowed."""
    return of * rate + 3 * math.sqrt(of * rate * (1 - rate))


@pytest.mark.parametrize("arms", [2, 4])
def test_where_nothing_differs_few_experiments_are_decided_or_end_an_arm(arms: int) -> None:
    trials = 200
    said = dict.fromkeys(("verdict", "decided", "ended"), 0)
    for seed in range(trials):
        trial, plan = Trial(seed, [1.0] * arms, [0.8] * arms), Plan(minimum_per_arm=100)
        found = [stepped(plan, figures, day) for day, figures in enumerate(trial.days(), start=1)]
        said["verdict"] += any(
            one.verdict is not Verdict.UNDECIDED for results, _ in found for one in results.of(Metric.COST)
        )
        said["decided"] += any(decided(step) for _, step in found)
        said["ended"] += any(step.ended for _, step in found)
    assert max(said.values()) <= most(ALPHA, trials)


def test_a_cheaper_arm_is_found_long_before_the_last_day() -> None:
    ended = [ends(Plan(), Trial(seed, [1.0, 0.7], [0.8, 0.8])) for seed in range(100)]
    assert all(step.stop == "cost is decided: arm 1 is better" for _, step in ended)
    assert float(np.median([day for day, _ in ended])) < DAYS / 2


def test_an_arm_whose_answers_are_worse_is_ended_and_the_other_one_goes_on() -> None:
    plan = Plan(stop_when_decided=False, max_days=None, guards=(Guard(metric=Metric.QUALITY, margin=0.05),))
    for seed in range(20):
        day, step = ends(plan, Trial(seed, [1.0, 1.0, 1.0], [0.9, 0.9, 0.5]))
        assert step == Step({"arm 2": "quality is worse than the control's by more than 0.05"}, None)
        assert day < DAYS


def test_an_arm_that_fails_is_ended_and_with_the_last_one_the_experiment() -> None:
    arms = [figures("control", spread(1, 1000)), figures("b", spread(1, 1000), failed=300)]
    _, step = stepped(Plan(), arms)
    assert step.ended == {"b": "failures is worse than the control's by more than 0.05"}
    assert step.stop == "every arm but the control was ended"


def test_nothing_is_concluded_from_fewer_observations_than_the_minimum() -> None:
    arms = [figures("control", spread(1, 198)), figures("b", spread(9, 198), failed=198)]
    results, step = stepped(Plan(), arms)
    assert not step
    (cost,) = results.of(Metric.COST)
    assert (cost.verdict, cost.why) == (Verdict.UNDECIDED, "b has 198 observations of 200 at least")
    assert stepped(Plan(minimum_per_arm=150), arms)[1]


def test_a_change_that_does_not_matter_is_no_difference() -> None:
    arms = [figures("control", spread(1, 20_000)), figures("b", spread(1.01, 20_000))]
    small, large = Plan(minimum_effect=0.05), Plan()
    (found,) = stepped(small, arms)[0].of(Metric.COST)
    assert found.verdict is Verdict.NO_DIFFERENT
    assert found.why == ""
    assert stepped(small, arms)[1].stop == "cost is decided: b is no different"
    assert stepped(large, arms)[0].of(Metric.COST)[0].verdict is Verdict.UNDECIDED
    assert stepped(large, arms)[1].stop is None


def test_costs_are_compared_as_shares_of_the_controls() -> None:
    arms = [figures("control", spread(10, 2000)), figures("b", spread(5, 2000))]
    (found,) = stepped(Plan(), arms)[0].of(Metric.COST)
    assert found.difference is not None
    assert found.change is not None
    assert (found.difference.value, found.change.value) == (-5, -0.5)
    assert -0.56 < found.change.interval.low < -0.5 < found.change.interval.high < -0.44
    assert found.verdict is Verdict.BETTER


def test_jobs_of_unknown_cost_leave_costs_undecided() -> None:
    control, other = figures("control", spread(10, 2000)), figures("b", spread(5, 2000))
    (found,) = stepped(Plan(), [control, replace(other, unpriced=3)])[0].of(Metric.COST)
    assert (found.verdict, found.why) == (Verdict.UNDECIDED, "the cost of 3 jobs of b is not known")


def test_of_units_with_several_jobs_there_must_be_enough() -> None:
    def of(name: str, units: int, cost: float) -> ArmFigures:
        size = 1000 / units
        each = Clusters(
            units, 1000, 1000 * cost, units * size**2, cost * units * size**2, (cost * size) ** 2 * units * 1.1
        )
        plain = figures(name, spread(cost, 1000))
        return replace(plain, units=units, means=dict.fromkeys(Metric, each))

    few = stepped(Plan(), [of("control", 10, 5.0), of("b", 10, 1.0)])[0].of(Metric.COST)[0]
    assert few.why == "b has 10 units of 20 at least"
    many = stepped(Plan(), [of("control", 100, 5.0), of("b", 100, 1.0)])[0].of(Metric.COST)[0]
    assert many.verdict is Verdict.BETTER


def test_an_experiment_ends_after_its_days_and_its_jobs() -> None:
    arms = [figures("control", spread(1, 100)), figures("b", spread(1, 100))]
    assert stepped(Plan(), arms, days=27.9)[1].stop is None
    assert stepped(Plan(), arms, days=28)[1].stop == "it ran for 28 days"
    assert stepped(Plan(max_days=None), arms, days=400)[1].stop is None
    assert stepped(Plan(max_jobs=200), arms)[1].stop == "it had 200 jobs, of at most 200"


def test_a_split_that_chance_cannot_have_made_keeps_the_experiment_from_being_decided() -> None:
    arms = [figures("control", spread(10, 2000)), figures("b", spread(5, 3000))]
    results, step = stepped(Plan(), arms)
    assert results.of(Metric.COST)[0].verdict is Verdict.BETTER
    assert results.split.suspicious
    assert results.split.p < 1e-9
    assert step.stop is None


def test_an_arm_that_has_ended_is_neither_ended_again_nor_waited_for() -> None:
    over = ArmEnd(at=START, because="it failed")
    arms = [
        figures("control", spread(10, 2000)),
        figures("b", spread(5, 2000)),
        figures("c", spread(10, 900), failed=900),
    ]
    arms[2] = replace(arms[2], arm=arms[2].arm.model_copy(update={"ended": over}))
    results, step = stepped(Plan(), arms)
    assert step == Step({}, "cost is decided: b is better")
    assert set(results.split.observed) == {"control", "b"}


@pytest.mark.parametrize(
    ("statistic", "freedom", "p"),
    [(3.841, 1, 0.05), (5.991, 2, 0.05), (7.815, 3, 0.05), (16.919, 9, 0.05), (23.209, 10, 0.01), (0.0, 4, 1.0)],
)
def test_the_chi_square_tail_is_that_of_the_tables(statistic: float, freedom: int, p: float) -> None:
    assert chi_square_tail(statistic, freedom) == pytest.approx(p, abs=2e-5)


def test_the_anytime_test_of_the_split_hardly_ever_accuses_chance() -> None:
    rng = np.random.default_rng(5)
    shares = (0.5, 0.3, 0.2)
    accused = {"anytime": 0, "chi-square": 0}
    for _ in range(300):
        counts = rng.multinomial(20, shares, size=100).cumsum(axis=0)
        accused["anytime"] += any(anytime_p(row.tolist(), shares) < ALPHA for row in counts)
        expected = counts.sum(axis=1, keepdims=True) * np.asarray(shares)
        statistics = ((counts - expected) ** 2 / expected).sum(axis=1)
        accused["chi-square"] += any(chi_square_tail(one, 2) < ALPHA for one in statistics)
    assert accused["anytime"] <= most(ALPHA, 300)
    assert accused["chi-square"] > 2 * most(ALPHA, 300)
