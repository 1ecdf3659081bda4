"""The score is a log-odds: what is learned of it is what the samples say, and the start where they say little."""

from hashlib import sha256
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aico.caching.neighbourhood import Surroundings
from aico.caching.scoring import (
    FEATURES,
    FEATURES_VERSION,
    START_CUT,
    START_WEIGHTS,
    Floats,
    bend,
    features,
    fitted,
    score,
)
from aico.embedding_service.verification.weights import BIAS, WEIGHTS

# Of version 1. Whoever changes any of it raises the version, lest stored samples and weights be taken for others.
SEEN = (1.0, log(0.7 / 0.3), 1.0, 0.5, log(3))
VERIFIER = "46490fc8133f9079"  # weights and bias

TRUE = (-1.0, 0.5, 1.5, 1.0, -0.5)
ALONE = Surroundings(margin=0.2, support=0.0)


def drawn(weights: tuple[float, ...], samples: int, seed: int) -> tuple[Floats, Floats]:
    """Features of the usual size, and verdicts that are as probable as these weights say."""
    rng = np.random.default_rng(seed)
    seen = np.column_stack([np.ones(samples), rng.normal(0, 2, samples), rng.normal(0, 1, (samples, 3))])
    chance = 1 / (1 + np.exp(-(seen @ np.array(weights))))
    return seen, (rng.random(samples) < chance).astype(np.float64)


def loss(weights: tuple[float, ...], seen: Floats, right: Floats) -> float:
    odds = seen @ np.array(weights)
    prior = 0.15 * np.sum((np.array(weights) - START_WEIGHTS) ** 2)
    return float(np.sum(np.logaddexp(0, odds) - right * odds) + prior)


def test_at_the_start_the_score_is_what_the_verifier_says_alone() -> None:
    for pair in (0.1, 0.5, 0.9, 0.97):
        for similarity in (0.7, 0.99):
            found = score(features(pair, similarity, ALONE), START_WEIGHTS)
            assert found == pytest.approx(log(pair / (1 - pair)))
    assert pytest.approx(log(9)) == START_CUT  # a pair that shares its answer in nine of ten


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 3))
def test_features_are_finite_whatever_the_verifier_says(
    pair: float, similarity: float, margin: float, support: float
) -> None:
    seen = features(pair, similarity, Surroundings(margin, support))
    assert len(seen) == len(FEATURES) == len(START_WEIGHTS)
    assert np.isfinite(seen).all()
    assert max(map(abs, seen)) < 20


def test_weights_are_recovered_from_many_samples() -> None:
    assert fitted(*drawn(TRUE, 20_000, seed=1)) == pytest.approx(TRUE, abs=0.1)


def test_of_no_samples_the_weights_are_those_of_the_start() -> None:
    assert fitted(np.empty((0, len(FEATURES))), np.empty(0)) == START_WEIGHTS


def test_few_samples_move_the_weights_little() -> None:
    few, many = (np.array(fitted(*drawn(TRUE, samples, seed=2))) for samples in (5, 5000))
    assert np.linalg.norm(few - START_WEIGHTS) < np.linalg.norm(many - START_WEIGHTS)


def test_the_fit_is_the_mode_of_the_posterior() -> None:
    seen, right = drawn(TRUE, 300, seed=3)
    found = fitted(seen, right)
    least = loss(found, seen, right)
    rng = np.random.default_rng(4)
    for _ in range(50):
        moved = tuple(np.array(found) + rng.normal(0, 0.05, len(found)))
        assert loss(moved, seen, right) > least


def test_what_can_be_told_apart_wholly_has_finite_weights() -> None:
    seen = np.column_stack([np.ones(200), np.linspace(-5, 5, 200), np.zeros((200, 3))])
    found = fitted(seen, (seen[:, 1] > 0).astype(np.float64))
    assert np.isfinite(found).all()
    assert max(map(abs, found)) < 50


@given(
    st.integers(1, 30).flatmap(
        lambda rows: st.tuples(
            arrays(np.float64, (rows, len(FEATURES)), elements=st.floats(-1000, 1000, width=32)),
            arrays(np.float64, rows, elements=st.sampled_from([0.0, 1.0])),
        )
    )
)
def test_the_fit_never_diverges_and_is_never_worse_than_the_start(samples: tuple[Floats, Floats]) -> None:
    seen, right = samples
    found = fitted(seen, right)
    assert np.isfinite(found).all()
    assert loss(found, seen, right) <= loss(START_WEIGHTS, seen, right) * (1 + 1e-9) + 1e-9


def test_the_second_derivatives_are_those_of_the_loss() -> None:
    seen, right = drawn(TRUE, 50, seed=5)
    at, step = np.array(TRUE), 1e-3
    bent = bend(seen, seen @ at)
    for one in range(len(at)):
        for other in range(len(at)):
            moves = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
            unit = np.eye(len(at)) * step
            total = sum(
                sign * loss(tuple(at + first * unit[one] + second * unit[other]), seen, right)
                for first, second, sign in moves
            )
            assert bent[one, other] == pytest.approx(total / (4 * step * step), abs=1e-2)


def test_what_samples_are_made_of_has_a_version() -> None:
    digest = sha256(repr((BIAS, sorted(WEIGHTS.items()))).encode()).hexdigest()[:16]
    assert FEATURES == ("intercept", "pair", "similarity", "margin", "support")
    assert features(0.7, 0.95, Surroundings(margin=0.05, support=log(3))) == pytest.approx(SEEN)
    assert (FEATURES_VERSION, digest) == (1, VERIFIER)
