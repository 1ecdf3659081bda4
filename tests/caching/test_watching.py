"""A namespace whose hits become wrong is noticed soon, and one whose hits stay as they are is left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.caching.watching import Seen, Watch, watched
from aico.core.cache_policy import MAX_ERROR_RATE

TARGET = 0.01
CALM = Watch(probation=False, broken_at=None)
SURE = 3.0  # log-odds: right in 95 of 100


def said(right: bool, *, score: float = SURE, eligible: bool = True) -> Seen:
    return Seen(score, right, eligible)


RIGHT, WRONG = said(True), said(False)
WRONG_NEAR = said(False, eligible=False)


def test_as_long_as_all_is_right_nothing_happens() -> None:
    assert watched([], TARGET) == CALM
    assert watched([RIGHT] * 2000, TARGET) == CALM


def test_one_wrong_answer_puts_it_on_probation() -> None:
    assert watched([*[RIGHT] * 50, WRONG], TARGET) == Watch(probation=True, broken_at=None)


def test_right_answers_end_probation_soon_and_it_may_begin_again() -> None:
    ended = next(count for count in range(1, 500) if not watched([WRONG, *[RIGHT] * count], TARGET).probation)
    assert 5 <= ended <= 50
    assert watched([WRONG, *[RIGHT] * 500], TARGET) == CALM
    assert watched([WRONG, *[RIGHT] * 500, WRONG], TARGET).probation


def test_further_wrong_ones_show_that_the_error_has_changed() -> None:
    assert watched([*[RIGHT] * 300, *[WRONG] * 3], TARGET) == Watch(probation=True, broken_at=None)
    assert watched([*[RIGHT] * 300, *[WRONG] * 4], TARGET) == Watch(probation=False, broken_at=303)
    assert watched([*[RIGHT] * 300, *[WRONG, RIGHT, RIGHT] * 4], TARGET).broken_at == 309


@pytest.mark.parametrize("target", [1e-6, 1e-4, 0.001, 0.01])
def test_of_one_wrong_answer_nothing_follows_however_little_is_allowed(target: float) -> None:
    assert watched([*[RIGHT] * 300, WRONG], target) == Watch(probation=True, broken_at=None)


def test_after_a_change_it_begins_anew() -> None:
    changed = [WRONG] * 4
    assert watched([*changed, *[RIGHT] * 10], TARGET) == Watch(probation=False, broken_at=3)
    assert watched([*changed, *[RIGHT] * 10, WRONG], TARGET) == Watch(probation=True, broken_at=3)
    assert watched([*changed, *[RIGHT] * 10, *changed], TARGET).broken_at == 17


def test_what_was_not_served_does_not_put_it_on_probation_by_itself() -> None:
    assert watched([WRONG_NEAR], TARGET) == CALM
    unsure = said(False, score=-1.0, eligible=False)
    assert watched([unsure] * 500, TARGET) == CALM


def test_surprises_where_nothing_was_served_raise_the_alarm() -> None:
    """Each was thought to be right, and hardly any was."""
    alarm = watched([WRONG_NEAR] * 10, TARGET)
    assert alarm.probation or alarm.broken_at is not None


def test_what_is_right_as_often_as_its_score_says_is_no_surprise() -> None:
    """500 streams of 300 verdicts, none of them on what was served: only surprise could raise the alarm."""
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(500):
        scores = rng.uniform(-2, 5, 300)
        right = rng.random(300) < 1 / (1 + np.exp(-scores))
        stream = (said(bool(one), score=float(score), eligible=False) for score, one in zip(scores, right, strict=True))
        alarms += watched(stream, TARGET) != CALM
    assert alarms <= 25


def streams(error: float, count: int, length: int, seed: int, target: float = TARGET) -> list[Watch]:
    """Of a namespace that serves what is wrong at this rate, and knows it."""
    rng, score = np.random.default_rng(seed), float(np.log((1 - error) / error))
    return [
        watched((said(bool(right), score=score) for right in rng.random(length) >= error), target) for _ in range(count)
    ]


@pytest.mark.parametrize("target", [0.001, 0.01, 0.02, 0.05, 0.1, 0.3])
def test_hits_that_keep_to_half_the_target_are_hardly_ever_declared_to_have_changed(target: float) -> None:
    """Not one of twenty within a thousand audits, as far as two hundred streams can tell: three deviations above it."""
    found = streams(target / 2, 200, 1000, seed=4, target=target)
    assert sum(watch.broken_at is not None for watch in found) <= 0.05 * 200 + 3 * (0.05 * 0.95 * 200) ** 0.5


@pytest.mark.parametrize("target", [0.01, 0.05])
def test_hits_that_are_wrong_three_times_as_often_as_is_allowed_are_stopped_most_of_the_time(target: float) -> None:
    """What counts is that nothing is served, on probation or for good; within the next five hundred audits."""
    found = streams(3 * target, 100, 500, seed=5, target=target)
    assert sum(watch.probation or watch.broken_at is not None for watch in found) >= 85


def test_hits_of_which_every_fifth_is_wrong_are_declared_to_have_changed_within_sixty() -> None:
    assert sum(watch.broken_at is not None for watch in streams(0.2, 200, 60, seed=5)) >= 190


def test_complaints_stop_it_and_are_no_evidence_of_how_many_are_wrong() -> None:
    """Nobody tells of the many answers that were right, so any number of complaints would show a change."""
    complaint = Seen(0.0, right=False, eligible=True, drawn=False)
    assert watched([*[RIGHT] * 300, *[complaint] * 20], TARGET) == Watch(probation=True, broken_at=None)
    assert watched([*[complaint] * 20, *[RIGHT] * 60], TARGET) == CALM


@pytest.mark.parametrize("target", [1e-6, 0.001, 0.01, 0.1, 0.25, 0.4, MAX_ERROR_RATE])
def test_every_target_that_a_tenant_may_set_is_watched(target: float) -> None:
    assert watched([RIGHT] * 100, target) == CALM
    assert watched([*[RIGHT] * 100, WRONG], target).probation
    assert watched([*[RIGHT] * 100, *[WRONG] * 30], target).broken_at is not None


@given(st.lists(st.tuples(st.floats(-60, 60), st.booleans(), st.booleans())), st.floats(1e-6, MAX_ERROR_RATE))
def test_no_verdicts_confuse_it(verdicts: list[tuple[float, bool, bool]], target: float) -> None:
    seen = [Seen(*one) for one in verdicts]
    found = watched(seen, target)
    assert found.broken_at is None or 0 <= found.broken_at < len(seen)
    if found.broken_at is not None:  # nothing before it counts
        assert watched(seen[found.broken_at + 1 :], target) == Watch(found.probation, None)
