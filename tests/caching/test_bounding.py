"""What is said of an error rate holds as often as is said, whatever the scores are worth."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.caching.bounding import (
    Floats,
    chance_of_at_most,
    last_equals,
    lowest_cut,
    refuted,
    samples_needed,
    upper_bound,
)

TARGET, CONFIDENCE = 0.05, 0.9
EXPERIMENTS = 600
# Of so many experiments at this rate, more than three standard deviations above it are nearly never seen.
MOST = (1 - CONFIDENCE) * EXPERIMENTS + 3 * (CONFIDENCE * (1 - CONFIDENCE) * EXPERIMENTS) ** 0.5


def exactly(wrong: int, samples: int, rate: Fraction) -> float:
    ways = (comb(samples, count) * rate**count * (1 - rate) ** (samples - count) for count in range(wrong + 1))
    return float(sum(ways))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 50))
def test_the_binomial_tail_is_the_exact_sum(wrong: int, more: int, hundredths: int) -> None:
    samples = wrong + more
    found = chance_of_at_most(wrong, samples, hundredths / 100)
    assert found == pytest.approx(exactly(wrong, samples, Fraction(hundredths, 100)), abs=1e-9)


def test_the_binomial_tail_holds_for_thousands_of_samples() -> None:
    assert chance_of_at_most(40, 4000, 0.01) == pytest.approx(exactly(40, 4000, Fraction(1, 100)), abs=1e-9)
    assert chance_of_at_most(0, 4000, 0.5) == 0.0
    assert chance_of_at_most(4000, 4000, 0.01) == 1.0


@given(st.integers(1, 50), st.integers(1, 40))
def test_so_many_right_ones_in_a_row_are_needed_and_one_fewer_is_too_few(percent: int, risk: int) -> None:
    target, chance = percent / 100, risk / 100
    needed = samples_needed(target, chance)
    assert (1 - target) ** needed <= chance * (1 + 1e-9)
    assert (1 - target) ** (needed - 1) > chance * (1 - 1e-9)


@pytest.mark.parametrize(
    ("wrong", "samples", "bound"),
    [(0, 100, 0.0295), (1, 100, 0.0466), (5, 100, 0.1023), (0, 10, 0.2589), (10, 10, 1.0), (0, 0, 1.0)],
)
def test_the_bound_is_that_of_clopper_and_pearson(wrong: int, samples: int, bound: float) -> None:
    """Quantiles of the beta distribution at 95 %, as tables have them."""
    assert upper_bound(wrong, samples, 0.95) == pytest.approx(bound, abs=5e-5)


@given(st.integers(0, 30), st.integers(1, 400), st.sampled_from([0.8, 0.9, 0.99]))
def test_at_the_bound_so_few_errors_are_as_rare_as_the_confidence_says(
    wrong: int, more: int, confidence: float
) -> None:
    samples = wrong + more
    bound = upper_bound(wrong, samples, confidence)
    assert wrong / samples < bound < 1
    assert chance_of_at_most(wrong, samples, bound) == pytest.approx(1 - confidence, rel=1e-6)


def test_the_bound_covers_the_true_error_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(1).binomial(200, 0.03, EXPERIMENTS)
    missed = sum(upper_bound(int(wrong), 200, CONFIDENCE) < 0.03 for wrong in drawn)
    assert missed <= MOST


def test_errors_refute_a_start_only_when_the_target_makes_them_improbable() -> None:
    assert not refuted(0, 1000, 0.01, 0.9)
    assert not refuted(1, 100, 0.01, 0.9)
    assert not refuted(2, 100, 0.01, 0.9)
    assert refuted(4, 100, 0.01, 0.9)
    assert refuted(1, 1, 0.01, 0.9)


@given(st.integers(1, 20), st.integers(0, 200))
def test_what_refutes_goes_on_to_refute_with_one_error_more(wrong: int, right: int) -> None:
    if refuted(wrong, wrong + right, TARGET, CONFIDENCE):
        assert refuted(wrong + 1, wrong + right + 1, TARGET, CONFIDENCE)


def cut_of(scores: Floats, wrong: Floats) -> float | None:
    found = lowest_cut(scores, 1.0 - wrong, target=TARGET, confidence=CONFIDENCE)
    return None if found is None else found.least


def broken(seed: int, *, steps: int | None) -> bool:
    """Whether the cut of one experiment serves more errors than the target: they are the more, the lower the score.

    The errors are e(s) = 0.2 (1 - s) of what scores s, uniform in 0..1, so (1 - c) / 10 of all that score c or more.
    """
    rng = np.random.default_rng(seed)
    scores = rng.random(500)
    if steps is not None:
        scores = np.floor(scores * steps) / steps
    wrong = (rng.random(500) < 0.2 * (1 - scores)).astype(np.float64)
    least = cut_of(scores, wrong)
    if least is None:
        return False
    if steps is None:
        return 0.1 * (1 - least) > TARGET
    served = np.arange(round(least * steps), steps) / steps
    return float(np.mean(0.2 * (1 - served))) > TARGET


@pytest.mark.parametrize("steps", [None, 3, 10], ids=["all different", "three scores", "ten scores"])
def test_the_cut_keeps_the_target_as_often_as_it_promises(steps: int | None) -> None:
    assert sum(broken(seed, steps=steps) for seed in range(EXPERIMENTS)) <= MOST


def test_where_nothing_keeps_the_target_a_cut_is_found_no_more_often_than_it_may() -> None:
    """The hardest case: each answer is as wrong as the target, and a little more, whatever its score."""
    rng = np.random.default_rng(2)
    found = sum(
        cut_of(rng.random(400), (rng.random(400) < TARGET * 1.001).astype(np.float64)) is not None
        for _ in range(EXPERIMENTS)
    )
    assert found <= MOST


def test_computed_anew_with_every_few_samples_a_cut_is_wrongly_there_for_no_more_of_the_time() -> None:
    """The confidence is of each computation: over many of them more namespaces have such a cut once, none for long."""
    rng = np.random.default_rng(6)
    often = []
    for _ in range(60):
        scores, wrong = rng.random(1000), (rng.random(1000) < TARGET * 1.001).astype(np.float64)
        found = [cut_of(scores[:samples], wrong[:samples]) is not None for samples in range(25, 1001, 25)]
        often.append(np.mean(found))
    assert np.mean(often) <= 1 - CONFIDENCE
    assert max(often) < 1


def test_where_all_that_scores_high_is_right_it_is_served() -> None:
    scores = np.arange(1000.0)
    wrong = (scores < 500).astype(np.float64)
    found = lowest_cut(scores, 1 - wrong, target=TARGET, confidence=CONFIDENCE)
    assert found is not None
    assert 450 < found.least < 500
    assert (found.above, found.wrong) == (1000 - found.least, 500 - found.least)


def test_equal_scores_are_served_or_refused_together() -> None:
    """The first of them are right by chance, and most of those that score the same are not."""
    scores = np.concatenate([np.full(400, 5.0), np.full(4000, 1.0)])
    right = np.concatenate([np.ones(400), np.ones(30), np.zeros(3970)])
    found = lowest_cut(scores, right, target=0.01, confidence=CONFIDENCE)
    assert found is not None
    assert (found.least, found.above, found.wrong) == (5.0, 400, 0)


def test_too_few_samples_are_no_evidence_however_right_they_are() -> None:
    needed = samples_needed(TARGET, (1 - CONFIDENCE) / 2)
    for samples, known in ((0, False), (needed - 1, False), (needed, True)):
        found = lowest_cut(np.arange(float(samples)), np.ones(samples), target=TARGET, confidence=CONFIDENCE)
        assert (found is not None) == known


def test_one_wrong_answer_among_the_best_does_not_end_the_search() -> None:
    scores, right = np.arange(2000.0), np.ones(2000)
    right[-1] = 0
    found = lowest_cut(scores, right, target=TARGET, confidence=CONFIDENCE)
    assert found is not None
    assert found.least < 50


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_the_last_of_equal_scores_is_found_for_each(scores: list[int]) -> None:
    falling = sorted(scores, reverse=True)
    expected = [len(falling) - 1 - falling[::-1].index(score) for score in falling]
    assert last_equals(np.array(falling, np.float64)).tolist() == expected


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=300),
    st.sampled_from([0.01, 0.1, 0.3, 0.5]),
    st.sampled_from([0.5, 0.9, 0.999]),
)
def test_a_cut_counts_what_it_serves_and_depends_on_the_order_of_time_in_nothing(
    samples: list[tuple[int, bool]], target: float, confidence: float
) -> None:
    scores = np.array([score for score, _ in samples], np.float64)
    right = np.array([right for _, right in samples], np.float64)
    found = lowest_cut(scores, right, target=target, confidence=confidence)
    assert found == lowest_cut(scores[::-1], right[::-1], target=target, confidence=confidence)
    if found is not None:
        served = scores >= found.least
        assert (found.above, found.wrong) == (served.sum(), (1 - right[served]).sum())
        assert upper_bound(found.wrong, found.above, confidence) <= target
