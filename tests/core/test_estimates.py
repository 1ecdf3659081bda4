import math
import random
import statistics

import pytest

from aico.core.estimates import Estimate, Interval, Moments, difference, estimate, ratio, student, wilson


def moments(values: list[float]) -> Moments:
    return Moments(len(values), sum(values), sum(value * value for value in values))


def inside(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def test_wilson_agrees_with_published_figures() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 15 of 148, without continuity correction.
    for successes, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = wilson(successes, n)
        assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


def test_of_nothing_a_rate_may_be_anything() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)


def test_the_interval_of_a_difference_is_students() -> None:
    a, b = moments([1.0, 2.0, 3.0, 4.0]), moments([0.0, 1.0, 2.0, 3.0])
    found = difference(a, b)
    assert found is not None
    assert found.value == pytest.approx(1.0)
    # t of 6 degrees of freedom at 0.975 is 2.4469; the standard error is sqrt(2 * 5/3 / 4).
    assert found.interval.high - 1.0 == pytest.approx(2.4469 * (5 / 6) ** 0.5, rel=1e-3)


def test_the_interval_of_a_mean_is_students() -> None:
    found = estimate(moments([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert found is not None
    assert found.value == 3.0
    assert found.interval.high - 3.0 == pytest.approx(2.7764 * (2.5 / 5) ** 0.5, rel=2e-3)  # of 4 degrees of freedom
    assert estimate(moments([1.0])) is None


def test_few_degrees_of_freedom_widen_an_interval_and_never_narrow_it() -> None:
    table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 10: 2.228, 30: 2.042}  # of Student's t at 0.975
    for freedom, t in table.items():
        assert student(0.95, freedom) == pytest.approx(t, rel=0.01)
    between = [student(0.95, 1 + step / 50) for step in range(200)]
    assert between == sorted(between, reverse=True)
    assert student(0.95, 1.5) >= 6.0166  # these two are numerically integrated
    assert student(0.95, 2.5) >= 3.5746


def test_too_little_or_no_baseline_gives_no_estimate() -> None:
    assert difference(moments([1.0]), moments([1.0, 2.0])) is None
    assert ratio(moments([1.0, 2.0]), moments([1.0])) is None
    assert ratio(moments([1.0, 2.0]), moments([0.0, 0.0])) is None
    assert ratio(moments([1.0, 2.0]), moments([-3.0, 5.0])) is None  # may well be zero


def test_equal_observations_leave_no_doubt() -> None:
    assert difference(moments([2.0, 2.0]), moments([1.0, 1.0])) == Estimate(1.0, Interval(1.0, 1.0))
    assert ratio(moments([2.0, 2.0]), moments([4.0, 4.0])) == Estimate(0.5, Interval(0.5, 0.5))


@pytest.mark.parametrize(("of_a", "of_b"), [(60, 60), (400, 40), (2000, 25)])
def test_intervals_of_skewed_costs_hold_about_as_often_as_they_say(of_a: int, of_b: int) -> None:
    draw = random.Random(7)
    trials, differences, ratios = 1500, 0, 0
    for _ in range(trials):
        a = moments([draw.expovariate(1 / 0.3) for _ in range(of_a)])
        b = moments([draw.expovariate(1 / 2.0) for _ in range(of_b)])
        by_difference, by_ratio = difference(a, b), ratio(a, b)
        differences += by_difference is not None and inside(by_difference.interval, 0.3 - 2.0)
        ratios += by_ratio is not None and inside(by_ratio.interval, 0.15)
    assert differences / trials > 0.90  # of 0.95: means of few skewed costs are not normal yet
    assert ratios / trials > 0.90


def coverage(rate: float, n: int) -> float:
    """Exact probability that the interval of `n` draws holds the rate."""
    return math.fsum(
        math.comb(n, hits) * rate**hits * (1 - rate) ** (n - hits)
        for hits in range(n + 1)
        if inside(wilson(hits, n), rate)
    )


def test_wilson_holds_on_average_as_often_as_it_says() -> None:
    exact = [coverage(step / 200, 60) for step in range(1, 200)]
    assert statistics.mean(exact) == pytest.approx(0.95, abs=0.005)
    assert min(exact) > 0.85
