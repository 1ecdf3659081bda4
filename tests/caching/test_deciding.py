"""Which of the kept answers is looked at, and whether it is served."""

from dataclasses import dataclass

import pytest

from aico.caching.calibration import State
from aico.caching.deciding import COMPARED, Candidate, Decider, Decision, Known, Why
from aico.caching.scoring import FEATURES, START_CUT
from aico.core.cache_policy import GuardPolicy
from aico.embedding_service.verification.comparison import Comparison, Guard, TextProfile, Verifier

STRICT, LENIENT, OFF = GuardPolicy.STRICT, GuardPolicy.LENIENT, GuardPolicy.OFF


@dataclass(frozen=True)
class Kept:
    question: str
    similarity: float = 0.9
    group: str = "a"
    compared: bool = True


class Told(Verifier):
    """Says of each kept question what it is told to, and counts what it is asked."""

    def __init__(self, said: dict[str, tuple[float, tuple[Guard, ...]]]) -> None:
        super().__init__()
        self.said = said
        self.seen: list[str] = []

    def compare_profiles(self, asked: TextProfile, kept: TextProfile, cosine: float) -> Comparison:  # noqa: ARG002
        self.seen.append(kept.folded)
        probability, guards = self.said.get(kept.folded, (0.99, ()))
        return Comparison(probability, guards, ())


def decide(
    verifier: Verifier, kept: list[Kept], known: Known | None = None, guards: GuardPolicy = STRICT
) -> Decision | None:
    found: list[Candidate] = [*kept]
    return Decider(verifier).decide("asked", found, known or Known(), guards)


def saying(**said: float) -> Told:
    return Told({text: (probability, ()) for text, probability in said.items()})


def guarding(*guards: Guard, text: str = "one") -> Told:
    return Told({text: (0.99, guards)})


def test_with_nothing_near_nothing_is_decided() -> None:
    verifier = saying()
    assert decide(verifier, []) is None
    assert verifier.seen == []


def test_what_scores_enough_is_served_and_what_scores_too_little_is_not() -> None:
    for probability, why in ((0.91, Why.SERVED), (0.89, Why.SCORE)):
        decision = decide(saying(one=probability), [Kept("one")])
        assert decision is not None
        assert (decision.why, decision.served, decision.eligible) == (why, why is Why.SERVED, why is Why.SERVED)
        assert (decision.score >= START_CUT) == decision.served
        assert len(decision.features) == len(FEATURES)


@pytest.mark.parametrize("state", [State.PROBATION, State.SUSPENDED])
def test_a_namespace_that_does_not_serve_says_so_where_it_would_have_served(state: State) -> None:
    decision = decide(saying(one=0.99), [Kept("one")], Known(state))
    assert decision is not None
    assert decision.why is Why.STATE
    assert decision.why.value == "namespace_not_serving"
    assert (decision.served, decision.eligible) == (False, True)
    low = decide(saying(one=0.5), [Kept("one")], Known(state))
    assert low is not None
    assert (low.why, low.eligible) == (Why.SCORE, False)


def test_the_cut_and_the_weights_of_a_namespace_take_the_place_of_the_starts() -> None:
    one = [Kept("one")]
    for known, why in (
        (Known(cut=5.0), Why.SCORE),
        (Known(cut=-5.0), Why.SERVED),
        (Known(weights=(-9.0, 1.0, 0.0, 0.0, 0.0)), Why.SCORE),
        (Known(cut=0.0, weights=(1.0, 0.0, 0.0, 0.0, 0.0)), Why.SERVED),
    ):
        decision = decide(saying(one=0.95), one, known)
        assert decision is not None
        assert decision.why is why


@pytest.mark.parametrize(
    ("guards", "objection", "served"),
    [
        *[(STRICT, guard, False) for guard in Guard],
        *[(OFF, guard, True) for guard in Guard],
        (LENIENT, Guard.NUMBERS, False),
        (LENIENT, Guard.UNITS, False),
        (LENIENT, Guard.QUOTES, False),
        (LENIENT, Guard.CODE, False),
        (LENIENT, Guard.LANGUAGE, False),
        (LENIENT, Guard.NEGATION, True),
        (LENIENT, Guard.ANTONYM, True),
    ],
)
def test_guards_forbid_what_the_tenants_policy_minds(guards: GuardPolicy, objection: Guard, served: bool) -> None:
    decision = decide(guarding(objection), [Kept("one")], guards=guards)
    assert decision is not None
    assert decision.why is (Why.SERVED if served else Why.GUARDED)
    assert decision.eligible is served


def test_where_a_guard_objects_the_next_group_is_looked_at() -> None:
    kept = [Kept("one", 0.95, "a"), Kept("two", 0.9, "b")]
    decision = decide(guarding(Guard.NUMBERS), kept)
    assert decision is not None
    assert (decision.place, decision.why) == (1, Why.SERVED)


def test_where_a_guard_objects_to_all_the_first_of_them_is_named() -> None:
    kept = [Kept("one", 0.95, "a"), Kept("two", 0.9, "b")]
    decision = decide(Told(dict.fromkeys(("one", "two"), (0.99, (Guard.NUMBERS,)))), kept)
    assert decision is not None
    assert (decision.place, decision.why) == (0, Why.GUARDED)


def test_what_scores_too_little_is_decided_and_no_other_is_looked_at() -> None:
    verifier = saying(one=0.5, two=0.99)
    decision = decide(verifier, [Kept("one", 0.95, "a"), Kept("two", 0.9, "b")])
    assert decision is not None
    assert (decision.place, decision.why, verifier.seen) == (0, Why.SCORE, ["one"])


def test_so_many_groups_are_compared_and_no_more() -> None:
    names = [f"number{place}" for place in range(16)]
    verifier = Told(dict.fromkeys(names, (0.99, (Guard.NUMBERS,))))
    kept = [Kept(name, 0.95 - place / 100, name) for place, name in enumerate(names)]
    decision = decide(verifier, kept)
    assert decision is not None
    assert verifier.seen == names[:COMPARED]


def test_of_a_group_its_nearest_question_alone_is_compared() -> None:
    verifier = saying()
    decision = decide(verifier, [Kept("far", 0.8), Kept("near", 0.95), Kept("middle", 0.9)])
    assert decision is not None
    assert (verifier.seen, decision.place) == (["near"], 1)
    assert decision.features[-1] == pytest.approx(1.0986, abs=1e-4)  # three of its group


def test_where_nothing_was_ever_judged_all_answers_are_taken_as_they_are() -> None:
    """Else those of a new namespace, which nobody compares, would all come last and say nothing of each other."""
    kept = [Kept("one", 0.95, "a", compared=False), Kept("two", 0.9, "b")]
    places = []
    for judged in (False, True):
        decision = decide(saying(), kept, Known(judged=judged))
        assert decision is not None
        places.append(decision.place)
    assert places == [0, 1]


def test_a_question_with_another_number_is_not_served_by_the_real_verifier() -> None:
    decider = Decider(Verifier())
    questions = {"How many days are in 2 weeks?": False, "how many days are in 3 weeks": True}
    for question, served in questions.items():
        kept: list[Candidate] = [Kept("How many days are in 3 weeks?", 0.97)]
        decision = decider.decide(question, kept, Known(), STRICT)
        assert decision is not None
        assert decision.served is served


def test_of_each_group_there_is_a_decision_the_first_of_which_is_the_one() -> None:
    verifier = Told({"one": (0.99, (Guard.NUMBERS,)), "two": (0.6, ()), "three": (0.95, ())})
    kept = [Kept(text, group=text) for text in ("one", "two", "three")]
    kept.append(Kept("again", group="two"))
    found: list[Candidate] = [*kept]
    each = {kept[one.place].question: one.why for one in Decider(verifier).decisions("asked", found, Known(), STRICT)}
    assert each == {"two": Why.SCORE, "one": Why.GUARDED, "three": Why.SERVED}
    decision = decide(verifier, kept)
    assert decision is not None
    assert kept[decision.place].question == "two"  # whose group has the most weight
