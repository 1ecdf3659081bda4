"""A cut of a model is taken where the model is sure of itself, and keeps the target where the model is true."""

import numpy as np
import pytest

from aico.caching.modelling import lowest_modelled
from aico.caching.scoring import START_WEIGHTS, Floats, fitted

TARGET, CONFIDENCE = 0.05, 0.9
TRUE = (0.5, 1.0, 0.0, 0.0, 0.0)
EXPERIMENTS = 120
MOST = (1 - CONFIDENCE) * EXPERIMENTS + 3 * (CONFIDENCE * (1 - CONFIDENCE) * EXPERIMENTS) ** 0.5


def drawn(samples: int, seed: int, *, spread: float = 2.5) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    seen = np.column_stack([np.ones(samples), rng.normal(1, spread, samples), rng.normal(0, 0.5, (samples, 3))])
    return seen, (rng.random(samples) < chances_of(seen)).astype(np.float64)


def chances_of(seen: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-(seen @ np.array(TRUE))))
    return found


def cut_of(seen: Floats, right: Floats, chances: Floats | None = None, target: float = TARGET) -> float | None:
    weights = fitted(seen, right)
    drawn_with = np.ones(len(seen)) if chances is None else chances
    return lowest_modelled(seen, weights, drawn_with, target=target, confidence=CONFIDENCE)


def test_of_many_samples_a_cut_is_found_that_serves_many() -> None:
    seen, right = drawn(1000, seed=1)
    least = cut_of(seen, right)
    assert least is not None
    assert (seen @ np.array(fitted(seen, right)) >= least).mean() > 0.3


def test_where_the_model_is_true_the_cut_keeps_the_target_as_often_as_it_promises() -> None:
    everybody, _ = drawn(50_000, seed=1000)
    wrong = 1 - chances_of(everybody)
    broken = found = 0
    for seed in range(EXPERIMENTS):
        seen, right = drawn(150, seed)
        least = cut_of(seen, right)
        if least is not None:
            served = everybody @ np.array(fitted(seen, right)) >= least
            found += 1
            broken += wrong[served].mean() > TARGET
    assert found > EXPERIMENTS / 2
    assert broken <= MOST


def test_where_the_model_is_unsure_there_is_no_cut() -> None:
    """Twenty samples leave the weights open; a thousand of what is right or wrong by chance leave nothing to serve."""
    seen, right = drawn(25, seed=2)
    assert cut_of(seen, right, target=0.01) is None
    rng = np.random.default_rng(3)
    seen, _ = drawn(1000, seed=3)
    assert cut_of(seen, (rng.random(1000) < 0.5).astype(np.float64)) is None


def test_fewer_than_twenty_samples_above_a_cut_say_too_little() -> None:
    """However sure the model is of these: what scores less has taught it."""
    unsure = np.vstack([np.tile([1.0, pair, 0.0, 0.0, 0.0], (2000, 1)) for pair in (-2.0, 1.0)])
    for sure, least in ((19, None), (20, 6.0)):
        seen = np.vstack([unsure, np.tile([1.0, 6.0, 0.0, 0.0, 0.0], (sure, 1))])
        chances = np.ones(len(seen))
        found = lowest_modelled(seen, START_WEIGHTS, chances, target=TARGET, confidence=CONFIDENCE)
        assert found == least


def test_a_sample_that_was_rarely_drawn_stands_for_many() -> None:
    """Wrong ones that are drawn in one of ten are ten times as many as are seen."""
    seen, right = drawn(1000, seed=4)
    unsure = seen @ np.array(TRUE) < 3
    plain, weighted = cut_of(seen, right), cut_of(seen, right, np.where(unsure, 0.1, 1.0))
    assert plain is not None
    assert weighted is not None
    assert weighted > plain


def test_equal_chances_change_nothing() -> None:
    seen, right = drawn(400, seed=5)
    assert cut_of(seen, right, np.full(400, 0.05)) == pytest.approx(cut_of(seen, right))


def test_a_stricter_target_has_a_higher_cut() -> None:
    seen, right = drawn(2000, seed=6)
    cuts = [cut_of(seen, right, target=target) for target in (0.2, 0.1, 0.05, 0.02)]
    known = [cut for cut in cuts if cut is not None]
    assert known == sorted(known)
    assert len(known) >= 3


def test_equal_scores_are_served_or_refused_together() -> None:
    """Of one score, all have to keep the target, and not only the first of them."""
    good, mixed = [1.0, 6.0, 0.0, 0.0, 0.0], [1.0, 1.5, 0.0, 0.0, 0.0]
    seen = np.vstack([np.tile(good, (100, 1)), np.tile(mixed, (400, 1))])
    least = lowest_modelled(seen, START_WEIGHTS, np.ones(500), target=TARGET, confidence=CONFIDENCE)
    assert least == 6.0


def test_the_same_samples_have_the_same_cut() -> None:
    seen, right = drawn(300, seed=7)
    assert cut_of(seen, right) == cut_of(seen, right)
