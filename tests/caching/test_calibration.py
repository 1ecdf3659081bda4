"""What follows for a namespace from what was judged there, in every state."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.caching.bounding import upper_bound
from aico.caching.calibration import ENOUGH, NOTHING_KNOWN, Calibration, Sample, State, calibrated
from aico.caching.scoring import FEATURES, START_CUT, START_WEIGHTS, score
from aico.core.cache_policy import MAX_ERROR_RATE

TARGET, CONFIDENCE = 0.05, 0.9


def sample(pair: float = 4.0, *, right: bool = True, eligible: bool | None = None) -> Sample:
    """Decided as a new namespace decides: by the pair alone."""
    seen = (1.0, pair, 0.0, 0.0, 0.0)
    return Sample(seen, pair, right, pair >= START_CUT if eligible is None else eligible)


RIGHT, WRONG = sample(), sample(right=False)
COMPLAINT = Sample(None, 0.0, right=False, eligible=True, drawn=False)


def known_of(samples: Sequence[Sample], *, suspended: bool = False, target: float = TARGET) -> Calibration:
    return calibrated(samples, target=target, confidence=CONFIDENCE, suspended=suspended)


def traffic(count: int, seed: int, *, lift: float = 0.0) -> list[Sample]:
    """Decisions whose score says how probable they are right; with `lift` they are better than that."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(2, 3, count)
    right = rng.random(count) < 1 / (1 + np.exp(-scores - lift))
    return [sample(float(one), right=bool(good)) for one, good in zip(scores, right, strict=True)]


def test_of_nothing_nothing_is_known() -> None:
    assert known_of([]) == NOTHING_KNOWN
    assert NOTHING_KNOWN.state.serves


def test_a_few_right_answers_leave_a_namespace_learning_with_the_cut_of_the_start() -> None:
    known = known_of([RIGHT] * 30)
    assert known == Calibration(State.LEARNING, None, None, None, 30, 0)


def test_enough_right_answers_are_a_test_and_what_scores_as_much_is_served() -> None:
    known = known_of([RIGHT] * ENOUGH)
    assert known.state is State.SERVING
    assert known.cut is not None
    assert (known.cut.above, known.cut.wrong, known.judged) == (ENOUGH, 0, ENOUGH)
    assert known.bound == upper_bound(0, ENOUGH, CONFIDENCE) < TARGET


def test_with_fewer_samples_than_weights_take_the_verifiers_score_is_tested() -> None:
    known = known_of([RIGHT] * (ENOUGH - 1))
    assert (known.state, known.weights) == (State.SERVING, START_WEIGHTS)
    assert known.cut is not None
    assert known.cut.least == 4.0


def test_a_model_serves_before_there_is_enough_for_a_test() -> None:
    strict = known_of(traffic(ENOUGH + 60, seed=3, lift=3), target=0.02)
    assert strict.state is State.LEARNING
    assert strict.cut is not None
    assert strict.weights != START_WEIGHTS
    assert strict.bound is not None
    assert strict.bound > 0.02  # of the samples alone: that is why it is still learning


def test_a_cut_counts_what_scores_at_least_that() -> None:
    samples = [replace(one, eligible=False) for one in traffic(800, seed=4)]
    known = known_of(samples)
    assert known.cut is not None
    assert known.weights is not None
    assert known.forget == 0
    above = [one for one in samples if one.features and score(one.features, known.weights) >= known.cut.least - 1e-9]
    assert (len(above), sum(not one.right for one in above)) == (known.cut.above, known.cut.wrong)
    assert known.bound == upper_bound(known.cut.wrong, known.cut.above, CONFIDENCE)


def test_a_wrong_answer_puts_it_on_probation_with_what_it_knows() -> None:
    samples = traffic(800, seed=4)
    steady, alarmed = known_of([*samples, *[RIGHT] * 100]), known_of([*samples, *[RIGHT] * 100, WRONG])
    assert (steady.state, alarmed.state) == (State.SERVING, State.PROBATION)
    assert alarmed.cut is not None
    assert not alarmed.state.serves
    assert alarmed.forget == steady.forget


def test_a_new_namespace_is_put_on_probation_too_and_right_answers_end_it() -> None:
    assert known_of([*[RIGHT] * 20, WRONG]).state is State.PROBATION
    assert known_of([*[RIGHT] * 20, WRONG, *[RIGHT] * 40]).state is State.LEARNING


def test_what_a_caller_complains_of_raises_the_alarm_and_is_no_sample() -> None:
    known = known_of([*[RIGHT] * 20, COMPLAINT])
    assert (known.state, known.judged) == (State.PROBATION, 20)
    assert known_of([COMPLAINT]).judged == 0


def test_further_wrong_answers_suspend_it_and_all_that_was_known_is_forgotten() -> None:
    known = known_of([*traffic(400, seed=5, lift=3), *[WRONG] * 6])
    assert known == Calibration(State.SUSPENDED, None, None, None, known.judged, known.forget)
    assert 400 < known.forget <= 406
    assert known.judged == 406 - known.forget


def test_once_suspended_it_serves_nothing_until_a_cut_is_found_of_what_came_since() -> None:
    assert known_of([], suspended=True).state is State.SUSPENDED
    assert known_of([RIGHT] * 30, suspended=True).state is State.SUSPENDED
    assert known_of([RIGHT] * 30).state is State.LEARNING
    risen = known_of([RIGHT] * ENOUGH, suspended=True)
    assert (risen.state, risen.cut is None) == (State.SERVING, False)


def test_a_start_that_is_refuted_is_not_served_although_nothing_has_changed() -> None:
    """Neither did any hit come after another that was wrong, nor has anything been served lately."""
    near = [sample(right=False, eligible=False), *[sample(-6.0, right=False)] * 20]
    refuted = known_of([sample(right=number % 12 != 5, eligible=False) for number in range(60)] + near)
    assert (refuted.state, refuted.forget) == (State.SUSPENDED, 0)


def test_a_namespace_that_is_never_right_is_never_served() -> None:
    for count in (1, 3, 40, 200):
        known = known_of([sample(right=False)] * count)
        assert not known.state.serves


def test_the_rate_that_is_allowed_decides_what_is_served() -> None:
    samples = traffic(1500, seed=6)
    cuts = [known_of(samples, target=target) for target in (0.01, 0.05, 0.2)]
    shares = [0 if one.cut is None else one.cut.above for one in cuts]
    assert shares[0] < shares[1] < shares[2]


def test_where_all_were_drawn_alike_it_does_not_matter_how_often() -> None:
    samples = [replace(one, chance=0.1) for one in traffic(1500, seed=6)]
    assert known_of(samples) == known_of(traffic(1500, seed=6))


def test_the_promise_is_kept_over_many_namespaces() -> None:
    """What is served once a cut was tested is wrong more often than allowed in hardly more than one of ten."""
    everybody = traffic(20_000, seed=999)
    seen = np.array([one.features for one in everybody])
    wrong = 1 / (1 + np.exp(seen[:, 1]))
    served = broken = 0
    for seed in range(80):
        known = known_of([replace(one, eligible=False) for one in traffic(300, seed)])
        if known.state is State.SERVING and known.cut is not None and known.weights is not None:
            served += 1
            broken += wrong[seen @ np.array(known.weights) >= known.cut.least].mean() > TARGET
    assert served > 40
    assert broken <= 0.1 * served + 3 * (0.09 * served) ** 0.5


samples = st.lists(
    st.builds(
        Sample,
        st.none() | st.tuples(st.just(1.0), *[st.floats(-9, 9)] * (len(FEATURES) - 1)),
        st.floats(-20, 20),
        st.booleans(),
        st.booleans(),
        st.floats(0.01, 1),
    ),
    max_size=250,
)


@given(samples, st.sampled_from([0.001, 0.01, 0.1, 0.4, MAX_ERROR_RATE]), st.booleans())
def test_whatever_was_judged_its_parts_agree(found: list[Sample], target: float, suspended: bool) -> None:
    known = known_of(found, target=target, suspended=suspended)
    assert 0 <= known.forget <= len(found)
    assert known.judged == sum(one.features is not None for one in found[known.forget :])
    assert (known.cut is None) == (known.weights is None) == (known.bound is None)
    if known.state is State.SUSPENDED:
        assert known.cut is None
    if known.state is State.SERVING:
        assert known.cut is not None
    if known.state is State.LEARNING and known.cut is None:
        assert not suspended
    if known.cut is not None:
        assert 0 <= known.cut.wrong <= known.cut.above <= known.judged
        assert known.bound is not None
        assert 0 < known.bound <= 1


@pytest.mark.parametrize(
    ("state", "serves"),
    [(State.LEARNING, True), (State.SERVING, True), (State.PROBATION, False), (State.SUSPENDED, False)],
)
def test_nothing_is_served_on_probation_or_when_suspended(state: State, serves: bool) -> None:
    assert state.serves is serves
