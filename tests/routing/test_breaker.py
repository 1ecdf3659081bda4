"""Circuit breakers, as arithmetic: no clock runs here."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.routing.breaker import (
    HALF_LIFE_SECONDS,
    LOOK_AGAIN_SECONDS,
    RULES,
    Kind,
    Mark,
    Rules,
    Scope,
    State,
    admit,
    scopes_of,
    settle,
)

RULES_HERE = Rules(run=3, base=2.0, cap=60.0, calls=10, share=0.5)
SCOPES = scopes_of("openai", "gpt-5.4", UUID(int=1))
CLOSED = State()
LEASE = 65.0


def after(
    marks: Sequence[Mark], state: State = CLOSED, *, every: float = 0.0, at: float = 1000.0, probing: bool = False
) -> State:
    for number, mark in enumerate(marks):
        state = settle(state, mark, RULES_HERE, at + number * every, probing=probing, uniform=1.0)
    return state


def test_a_run_of_failures_opens() -> None:
    assert after([Mark.BAD] * 2).until == 0
    assert after([Mark.BAD] * 3).until == 1002.0


def test_a_success_between_them_ends_the_run() -> None:
    assert after([Mark.BAD, Mark.BAD, Mark.GOOD, Mark.BAD, Mark.BAD]).until == 0


def test_half_of_many_calls_failing_opens_without_a_run() -> None:
    alternating = [Mark.GOOD, Mark.BAD]
    assert after(alternating * 4).until == 0  # too few to say
    assert after(alternating * 5).until > 0
    assert after([Mark.GOOD, Mark.GOOD, Mark.BAD] * 9).until == 0  # a third is not half


def test_failures_long_ago_do_not_count() -> None:
    assert after([Mark.GOOD, Mark.BAD] * 20, every=HALF_LIFE_SECONDS).until == 0


def test_what_says_nothing_changes_nothing() -> None:
    state = after([Mark.BAD, Mark.BAD])
    assert settle(state, Mark.NOTHING, RULES_HERE, 2000.0, probing=False, uniform=0.5) == state


def test_cooldowns_double_up_to_the_cap_and_half_of_them_is_drawn() -> None:
    assert [RULES_HERE.cooldown(trips, 1.0) for trips in (1, 2, 3, 5, 6, 5000)] == [2, 4, 8, 32, 60, 60]
    assert [RULES_HERE.cooldown(2, uniform) for uniform in (0.0, 0.5, 1.0)] == [2, 3, 4]


def test_while_it_is_open_nothing_passes_and_then_one_call_does() -> None:
    opened = State(trips=1, until=1002.0)
    states: tuple[State, ...] = (CLOSED, CLOSED, opened)
    entry, same = admit(SCOPES, states, 1000.5, LEASE)
    assert (entry.wait, entry.blocked, same) == (1.5, SCOPES[2], states)
    first, states = admit(SCOPES, states, 1002.0, LEASE)
    assert (first.wait, first.probes) == (0, frozenset({SCOPES[2]}))
    second, unchanged = admit(SCOPES, states, 1002.0, LEASE)
    assert (second.wait, second.probes, unchanged) == (LOOK_AGAIN_SECONDS, frozenset(), states)


def test_a_probe_of_which_nothing_is_heard_is_given_up() -> None:
    _, states = admit(SCOPES, (CLOSED, CLOSED, State(trips=1, until=1.0)), 1000.0, LEASE)
    assert admit(SCOPES, states, 1000.0 + LEASE, LEASE)[0].probes == {SCOPES[2]}


def test_no_probe_is_claimed_for_a_call_that_another_scope_turns_away() -> None:
    states = (State(trips=1, until=1.0), CLOSED, State(trips=1, until=2000.0))
    entry, same = admit(SCOPES, states, 1000.0, LEASE)
    assert (entry.wait, entry.probes, same) == (1000.0, frozenset(), states)


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        (Mark.GOOD, CLOSED),
        (Mark.BAD, State(trips=3, until=1008.0)),
        (Mark.NOTHING, State(trips=2, until=1.0)),
    ],
)
def test_the_probe_decides(mark: Mark, found: State) -> None:
    assert after([mark], State(trips=2, until=1.0, probe=1060.0), probing=True) == found


@pytest.mark.parametrize("mark", list(Mark))
def test_calls_from_before_it_opened_decide_nothing(mark: Mark) -> None:
    for state in (State(trips=2, until=5000.0), State(trips=2, until=1.0, probe=1060.0)):
        assert after([mark], state) == state


def test_a_refused_key_opens_at_once_and_a_model_does_not() -> None:
    for kind, opens in ((Kind.KEY, True), (Kind.MODEL, False), (Kind.PROVIDER, False)):
        state = settle(CLOSED, Mark.BAD, RULES[kind], 1000.0, probing=False, uniform=0.0)
        assert (state.until > 0) is opens


def test_a_model_s_scope_is_its_own_and_the_provider_s_is_everybody_s() -> None:
    first, other = scopes_of("openai", "a", UUID(int=1)), scopes_of("openai", "b", UUID(int=2))
    assert set(first) & set(other) == {Scope(Kind.PROVIDER, "openai")}


steps = st.lists(
    st.tuples(st.floats(0.0, 100.0), st.sampled_from(list(Mark)), st.floats(0.0, 1.0)), min_size=1, max_size=60
)


@given(steps)
def test_there_is_never_more_than_one_probe_and_a_wait_always_ends(
    played: list[tuple[float, Mark, float]],
) -> None:
    scope, state, now = (Scope(Kind.MODEL, "openai", None, "m"),), CLOSED, 1000.0
    for pause, mark, uniform in played:
        now += pause
        entry, (state,) = admit(scope, (state,), now, LEASE)
        assert entry.wait <= RULES_HERE.cap
        if entry.wait == 0:
            if entry.probes:
                assert admit(scope, (state,), now, LEASE)[0].wait > 0
            state = settle(state, mark, RULES_HERE, now, probing=bool(entry.probes), uniform=uniform)
