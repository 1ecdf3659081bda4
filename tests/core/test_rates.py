"""Wilson's lower bound against figures that are published, and against what it promises."""

import numpy as np
import pytest

from aico.core.rates import wilson_lower


@pytest.mark.parametrize(("mean", "count", "expected"), [(0.5, 10, 0.2366), (1.0, 10, 0.7225), (0.0, 10, 0.0)])
def test_the_bound_is_the_known_one(mean: float, count: int, expected: float) -> None:
    assert wilson_lower(mean, count) == pytest.approx(expected, abs=1e-4)


def test_without_observations_nothing_is_sure() -> None:
    assert wilson_lower(1.0, 0) == 0.0


def test_the_truth_is_seldom_below_the_bound() -> None:
    draws = np.random.default_rng(1).binomial(40, 0.8, 20_000)
    missed = np.mean([wilson_lower(drawn / 40, 40) > 0.8 for drawn in draws])
    assert missed < 0.05
