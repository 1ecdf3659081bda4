"""What the holdout bears out, on invented tenants of whom the truth is known."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from aico.core.assignment import HELD_OUT, ROUTED
from aico.core.estimates import NOTHING, Moments
from aico.core.savings import ENOUGH, ArmFigures, Spending, measure


def moments(values: list[float]) -> Moments:
    return Moments(len(values), sum(values), sum(value * value for value in values))


def arm(cents: list[float], quality: list[float] | None = None) -> ArmFigures:
    return ArmFigures(answered=len(cents), cents=moments(cents), quality=moments(quality or []))


def test_what_was_saved_is_for_all_routed_jobs_less_what_routing_costs() -> None:
    arms = {HELD_OUT: arm([2.0, 4.0] * 50), ROUTED: arm([0.5, 1.5] * 1000)}
    measured = measure(arms, Decimal(100))
    assert measured is not None
    assert measured.cents_per_job.value == pytest.approx(2.0)
    assert measured.cents.value == pytest.approx(2.0 * 2000 - 100)
    assert measured.cents.interval.low < measured.cents.value < measured.cents.interval.high
    assert measured.share is not None
    assert measured.share.value == pytest.approx(2 / 3)


def test_routing_that_costs_more_than_the_baseline_is_shown_as_a_loss() -> None:
    measured = measure({HELD_OUT: arm([1.0, 1.2] * 30), ROUTED: arm([2.0, 2.2] * 30)}, Decimal(0))
    assert measured is not None
    assert measured.cents.interval.high < 0


def test_few_jobs_are_not_shown_as_a_measurement() -> None:
    few = arm([1.0, 2.0] * (ENOUGH // 2 - 1))
    many = arm([1.0, 2.0] * ENOUGH)
    assert measure({HELD_OUT: few, ROUTED: many}, Decimal(0)) is None
    assert measure({HELD_OUT: many}, Decimal(0)) is None
    assert measure({}, Decimal(0)) is None


def test_a_routed_job_of_unknown_cost_has_saved_nothing() -> None:
    baseline, routed = arm([2.0, 4.0] * 50), arm([0.5, 1.5] * 1000 + [0.0] * 500)
    measured = measure({HELD_OUT: baseline, ROUTED: replace(routed, unpriced=500)}, Decimal(0))
    assert measured is not None
    assert measured.cents.value == pytest.approx(2.0 * 2000)
    assert measured.share is not None
    assert measured.share.value == pytest.approx(2 * 2000 / (3 * 2500))
    partly = arm([2.0, 4.0] * 50 + [0.0] * 100)
    same = measure({HELD_OUT: replace(partly, unpriced=100), ROUTED: routed}, Decimal(0))
    assert same is not None
    assert same.cents_per_job.value == pytest.approx(3.0 - 2000 / 2500)
    assert measure({HELD_OUT: replace(baseline, unpriced=80), ROUTED: routed}, Decimal(0)) is None


def test_quality_is_compared_where_enough_was_judged_on_both_sides() -> None:
    judged, costs = [1.0, 0.0, 1.0] * 20, [1.0, 2.0] * 40
    both = measure({HELD_OUT: arm(costs, judged), ROUTED: arm(costs, [1.0, 1.0, 0.0, 0.0] * 20)}, Decimal(0))
    assert both is not None
    assert both.quality is not None
    assert both.quality.value == pytest.approx(0.5 - 2 / 3)
    one = measure({HELD_OUT: arm(costs, judged), ROUTED: arm(costs, [1.0] * (ENOUGH - 1))}, Decimal(0))
    assert one is not None
    assert one.quality is None


def test_intervals_of_a_years_tenants_hold_the_truth_about_as_often_as_they_say() -> None:
    draw, held, trials = random.Random(3), 0, 400
    for _ in range(trials):
        baseline = [draw.lognormvariate(0.0, 1.0) for _ in range(200)]
        routed = [0.3 * draw.lognormvariate(0.0, 1.0) * (draw.random() > 0.2) for _ in range(2000)]
        measured = measure({HELD_OUT: arm(baseline), ROUTED: arm(routed)}, Decimal(0))
        assert measured is not None
        mean = 1.6487212707  # of lognormal(0, 1)
        held += measured.cents.interval.low <= 2000 * mean * (1 - 0.3 * 0.8) <= measured.cents.interval.high
    assert held / trials > 0.90


def test_routings_own_cost_is_in_the_cost_and_shown_beside_it() -> None:
    spending = Spending(3, 0, Decimal(10), Decimal(50), Decimal(5), shadow_cents=Decimal(2), judge_cents=Decimal(1))
    assert [spending.own_cents, spending.saved_cents] == [Decimal(3), Decimal(35)]
    assert ArmFigures().cents is NOTHING
