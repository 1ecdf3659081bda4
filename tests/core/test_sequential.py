"""Confidence sequences hold at all looks together, as simulated streams show that are looked at after each observation.

Of each stream the worst look is found first, and the interval there is asked of the code under test: where that one
holds, so do all others of the stream.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from aico.core.estimates import Estimate, Moments, difference
from aico.core.sequential import Clusters, Sequential

ALPHA = 0.05
STREAMS, LENGTH = 1000, 2000
FIRST = 100  # observations of each arm before the first look at a difference whose variance is estimated
FIRST_OF_MEAN = 400  # likewise at a mean, in which the skewness of one arm is not made up for by that of the other
SAMPLING = 3 * math.sqrt(ALPHA * (1 - ALPHA) / STREAMS)  # three standard errors of a miss rate that is just allowed
SEQUENTIAL = Sequential(ALPHA, tuned=1000)
ERRORS = np.array([SEQUENTIAL.errors(n) for n in range(1, LENGTH + 1)])
Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
Interval = Callable[[Moments, Moments], Estimate | None]


def bernoulli(rate: float) -> Draw:
    return lambda rng, shape: (rng.random(shape) < rate).astype(float)


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.lognormal(0, 1, shape)  # of standard deviation 2.16 and mean 1.65


def moments(values: Floats) -> Moments:
    return Moments(len(values), float(values.sum()), float((values**2).sum()))


def misses(estimate: Estimate | None, truth: float) -> bool:
    return estimate is not None and not estimate.interval.low <= truth <= estimate.interval.high


def miss_rate_of_means(draw: Draw, truth: float, *, bounded: bool) -> float:
    rng = np.random.default_rng(1)
    values = draw(rng, (STREAMS, LENGTH))
    n = np.arange(1, LENGTH + 1)
    means = values.cumsum(axis=1) / n
    spread = 0.25 if bounded else np.maximum((values**2).cumsum(axis=1) / n - means**2, 1e-12)
    first = 1 if bounded else FIRST_OF_MEAN
    ends = (np.abs(means - truth) / (ERRORS * np.sqrt(spread / n)))[:, first - 1 :].argmax(axis=1) + first
    look = SEQUENTIAL.bounded_mean if bounded else SEQUENTIAL.mean
    return float(np.mean([misses(look(moments(row[:end])), truth) for row, end in zip(values, ends, strict=True)]))


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_the_sequence_of_a_bounded_mean_misses_no_more_often_than_it_may(rate: float) -> None:
    assert miss_rate_of_means(bernoulli(rate), rate, bounded=True) <= ALPHA + SAMPLING


def test_the_sequence_of_an_unbounded_mean_misses_no_more_often_than_it_may() -> None:
    assert miss_rate_of_means(lognormal, math.exp(0.5), bounded=False) <= ALPHA + SAMPLING


class Trial:
    """Streams of two arms, to which chance gives each observation; `shift` is added to those of arm A."""

    def __init__(self, draw: Draw, share: float = 0.5, shift: float = 0.0, seed: int = 2) -> None:
        rng = np.random.default_rng(seed)
        values = draw(rng, (STREAMS, LENGTH))
        self.in_a = rng.random((STREAMS, LENGTH)) < share
        self.values = values + shift * self.in_a

    def worst_looks(self, truth: float) -> NDArray[np.int64]:
        """Of each stream the look from the first one on at which the difference is most standard errors from truth."""
        arms = []
        for mask in (self.in_a, ~self.in_a):
            n = np.maximum(mask.cumsum(axis=1), 2)
            mean = (self.values * mask).cumsum(axis=1) / n
            variance = np.maximum((self.values**2 * mask).cumsum(axis=1) / n - mean**2, 1e-12)
            arms.append((n, mean, variance))
        (n_a, mean_a, var_a), (n_b, mean_b, var_b) = arms
        score = np.abs(mean_a - mean_b - truth) / np.sqrt(var_a / n_a + var_b / n_b) / ERRORS
        score[np.minimum(n_a, n_b) < FIRST] = -1
        looks: NDArray[np.int64] = score.argmax(axis=1) + 1
        return looks

    def share(self, looks: NDArray[np.int64], found: Callable[[Moments, Moments], bool]) -> float:
        streams = zip(self.values, self.in_a, looks, strict=True)
        return float(np.mean([found(moments(v[:end][a[:end]]), moments(v[:end][~a[:end]])) for v, a, end in streams]))

    def miss_rate(self, interval: Interval, truth: float) -> float:
        return self.share(self.worst_looks(truth), lambda a, b: misses(interval(a, b), truth))


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_the_sequence_of_a_difference_of_costs_misses_no_more_often_than_it_may(share: float) -> None:
    trial = Trial(lognormal, share, shift=0.3)
    assert trial.miss_rate(SEQUENTIAL.difference, 0.3) <= ALPHA + SAMPLING


def test_the_sequence_of_a_ratio_of_costs_misses_no_more_often_than_it_may() -> None:
    trial = Trial(lognormal)
    looks = trial.worst_looks(0.0)  # equal means: the ratio is most off where the difference is
    assert trial.share(looks, lambda a, b: misses(SEQUENTIAL.ratio(a, b), 1.0)) <= ALPHA + SAMPLING


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_sequence_of_a_difference_of_qualities_misses_no_more_often_than_it_may(rate: float) -> None:
    assert Trial(bernoulli(rate)).miss_rate(SEQUENTIAL.bounded_difference, 0.0) <= ALPHA + SAMPLING


def test_an_interval_for_one_look_fails_where_it_is_looked_at_again_and_again() -> None:
    assert Trial(bernoulli(0.5)).miss_rate(difference, 0.0) > 5 * ALPHA
    assert Trial(lognormal).miss_rate(difference, 0.0) > 5 * ALPHA


def test_a_real_difference_is_found_in_the_end() -> None:
    trial = Trial(lognormal, shift=0.66)  # 40 % of the mean
    at_the_end = np.full(STREAMS, LENGTH)
    assert trial.share(at_the_end, lambda a, b: misses(SEQUENTIAL.difference(a, b), 0.0)) > 0.9


def clusters(units: NDArray[np.int64], values: Floats, mask: NDArray[np.bool_]) -> Clusters:
    sizes = np.bincount(units[mask]).astype(float)
    totals = np.bincount(units[mask], values[mask])
    sums = (float((one * other).sum()) for one, other in ((sizes, sizes), (sizes, totals), (totals, totals)))
    return Clusters(int((sizes > 0).sum()), int(sizes.sum()), float(totals.sum()), *sums)


def test_where_a_users_observations_are_alike_users_are_counted_and_not_observations() -> None:
    """Between users values differ as much as within one, whom chance gave as a whole to one arm."""
    rng = np.random.default_rng(3)
    streams, users, looks = 400, 100, range(200, LENGTH + 1, 50)
    missed = {"clusters": 0, "moments": 0}
    for _ in range(streams):
        unit = rng.integers(0, users, LENGTH)
        values = 5 + rng.normal(0, 1, users)[unit] + rng.normal(0, 1, LENGTH)
        in_a = (rng.random(users) < 0.5)[unit]
        seen = [slice(0, end) for end in looks]
        by_unit = (
            SEQUENTIAL.difference(
                clusters(unit[one], values[one], in_a[one]), clusters(unit[one], values[one], ~in_a[one])
            )
            for one in seen
        )
        missed["clusters"] += any(misses(one, 0.0) for one in by_unit)
        alone = (
            SEQUENTIAL.difference(moments(values[one][in_a[one]]), moments(values[one][~in_a[one]])) for one in seen
        )
        missed["moments"] += any(misses(one, 0.0) for one in alone)
    assert missed["clusters"] <= streams * ALPHA + 3 * math.sqrt(streams * ALPHA * (1 - ALPHA))
    assert missed["moments"] > streams * 2 * ALPHA


def test_nothing_is_said_without_observations_that_differ() -> None:
    none, same, some = Moments(0, 0.0, 0.0), Moments(9, 9.0, 9.0), Moments(9, 9.0, 12.0)
    assert [SEQUENTIAL.mean(none), SEQUENTIAL.mean(same), SEQUENTIAL.bounded_mean(none)] == [None, None, None]
    assert SEQUENTIAL.difference(none, some) is None
    assert SEQUENTIAL.difference(same, same) is None
    assert SEQUENTIAL.ratio(Moments(1, 1.0, 1.0), some) is None
    assert SEQUENTIAL.bounded_difference(some, none) is None
    assert SEQUENTIAL.difference(Clusters(1, 9, 9.0, 81.0, 81.0, 81.0), some) is not None


def test_intervals_of_what_is_bounded_stay_within_bounds() -> None:
    few = Moments(3, 3.0, 3.0)
    mean, change = SEQUENTIAL.bounded_mean(few), SEQUENTIAL.bounded_difference(few, few)
    assert mean is not None
    assert change is not None
    assert (mean.interval.low, mean.interval.high) == (0.0, 1.0)
    assert (change.interval.low, change.interval.high) == (-1.0, 1.0)


def test_a_sequence_is_narrowest_about_where_it_was_tuned() -> None:
    at = 1000
    tuned, others = Sequential(ALPHA, at).errors(at), [Sequential(ALPHA, at * by).errors(at) for by in (0.1, 10)]
    assert tuned < min(others)
    assert tuned == pytest.approx(3.035, abs=0.001)


def test_clusters_of_one_observation_each_are_plain_moments() -> None:
    values = np.random.default_rng(4).normal(2, 1, 50)
    plain = moments(values)
    each = Clusters(50, 50, plain.total, 50.0, plain.total, plain.squares)
    assert (each.mean, each.variance_of_mean) == pytest.approx((plain.mean, plain.variance_of_mean))
