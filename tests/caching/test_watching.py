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
    assert watched([*[RIGHT] * 300, WRONG, WRONG], TARGET) == Watch(probation=False, broken_at=301)
    assert watched([*[RIGHT] * 300, WRONG, RIGHT, RIGHT, WRONG], TARGET).broken_at == 303


def test_after_a_change_it_begins_anew() -> None:
    changed = [WRONG, WRONG]
    assert watched([*changed, *[RIGHT] * 10], TARGET) == Watch(probation=False, broken_at=1)
    assert watched([*changed, *[RIGHT] * 10, WRONG], TARGET) == Watch(probation=True, broken_at=1)
    assert watched([*changed, *[RIGHT] * 10, *changed], TARGET).broken_at == 13


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


def streams(error: float, count: int, length: int, seed: int) -> list[Watch]:
    """Of a namespace that serves what is wrong at this rate, and knows it."""
    rng, score = np.random.default_rng(seed), float(np.log((1 - error) / error))
    return [
        watched((said(bool(right), score=score) for right in rng.random(length) >= error), TARGET) for _ in range(count)
    ]


def test_hits_that_keep_well_to_the_target_are_hardly_ever_declared_to_have_changed() -> None:
    assert sum(watch.broken_at is not None for watch in streams(TARGET / 5, 200, 500, seed=4)) <= 4


def test_hits_of_which_every_fifth_is_wrong_are_declared_to_have_changed_within_forty() -> None:
    assert sum(watch.broken_at is not None for watch in streams(0.2, 200, 40, seed=5)) >= 190


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
