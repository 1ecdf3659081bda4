"""Dispatching under rate limits."""

from uuid import UUID

import pytest
from routing.dispatching import BUSY, LARGE, REFUSED, SMALL, World, answer, wait

from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Held
from aico.routing.providers.failures import FailureKind, ProviderError


class Script:
    """A pacer that asks for the waits it is given, by model, the last for ever; None is beyond all patience."""

    def __init__(self, **waits: list[float | None]) -> None:
        self.waits = waits
        self.log: list[tuple[object, ...]] = []

    def reserve(self, model: Model, tokens: int, *, patience: float, account: UUID | None = None) -> float | None:
        assert account is None
        seconds = self.wait(model, tokens)
        if len(self.waits[_short(model)]) > 1:
            self.waits[_short(model)].pop(0)
        taken = seconds if seconds <= patience else None
        self.log.append(("reserve", _short(model), tokens, taken))
        return taken

    def wait(self, model: Model, tokens: int, *, account: UUID | None = None) -> float:
        assert account is None
        assert tokens == 500
        seconds = self.waits[_short(model)][0]
        return 10_000 if seconds is None else seconds

    def settle(self, model: Model, reserved_tokens: int, used_tokens: int, *, account: UUID | None = None) -> None:
        assert account is None
        self.log.append(("settle", _short(model), reserved_tokens, used_tokens))

    def back_off(self, model: Model, seconds: float, *, account: UUID | None = None) -> None:
        assert account is None
        self.log.append(("back_off", _short(model), seconds))


def _short(model: Model) -> str:
    return "small" if model is SMALL else "large"


def test_a_place_is_reserved_and_settled() -> None:
    world, pacer = World(answer()), Script(small=[0.0])
    world.dispatch(pacer=pacer, tokens=500)
    assert pacer.log == [("reserve", "small", 500, 0.0), ("settle", "small", 500, 1_100)]


def test_a_short_wait_is_slept() -> None:
    world, pacer = World(answer()), Script(small=[0.875])
    assert world.dispatch(pacer=pacer, tokens=500).model is SMALL
    assert world.waited == [0.875]


def test_a_longer_wait_holds_the_job_with_its_place_reserved() -> None:
    world, pacer = World(answer()), Script(small=[1.5], large=[0.0])
    with pytest.raises(Held) as caught:
        world.dispatch(pacer=pacer, tokens=500)
    assert (caught.value.model_id, caught.value.seconds, caught.value.attempts) == ("gpt-5.4-nano", 1.5, ())
    assert (world.asked, world.slept) == ([], 0)


def test_the_held_job_carries_on_without_another_reservation() -> None:
    world, pacer = World(answer()), Script(small=[0.0], large=[99.0])
    assert world.dispatch(pacer=pacer, tokens=500, reserved=LARGE.id).model is LARGE
    assert pacer.log == [("settle", "large", 500, 1_100)]


def test_the_reserved_place_is_good_for_one_try() -> None:
    world, pacer = World(BUSY, answer()), Script(small=[0.25])
    assert world.dispatch(SMALL, pacer=pacer, tokens=500, reserved=SMALL.id).model is SMALL
    assert pacer.log == [
        ("settle", "small", 500, 0),
        ("reserve", "small", 500, 0.25),
        ("settle", "small", 500, 1_100),
    ]


def test_the_next_candidate_has_room() -> None:
    world, pacer = World(answer()), Script(small=[30.0], large=[0.5])
    assert world.dispatch(pacer=pacer, tokens=500).model is LARGE


def test_nobody_has_room_soon_and_the_first_to_have_some_is_taken() -> None:
    world, pacer = World(answer()), Script(small=[30.0], large=[20.0])
    with pytest.raises(Held) as caught:
        world.dispatch(pacer=pacer, tokens=500)
    assert (caught.value.model_id, caught.value.seconds) == (LARGE.id, 20.0)


def test_a_crowded_candidate_is_held_for_after_the_others_failed() -> None:
    world, pacer = World(REFUSED), Script(small=[30.0], large=[0.0])
    with pytest.raises(Held) as caught:
        world.dispatch(pacer=pacer, tokens=500)
    assert caught.value.model_id == SMALL.id
    assert caught.value.attempts == tuple(world.recorded)
    assert world.outcomes() == [("gpt-5.4", "fatal")]


def test_no_place_before_the_deadline() -> None:
    world, pacer = World(), Script(small=[120.0], large=[None])
    with pytest.raises(AllCandidatesFailed, match="rate limits leave no place before the deadline") as caught:
        world.dispatch(pacer=pacer, tokens=500)
    assert not caught.value.retryable


def test_being_refused_for_the_rate_backs_off_for_everybody() -> None:
    world, pacer = World(wait(3), answer()), Script(small=[0.0])
    world.dispatch(pacer=pacer, tokens=500)
    assert pacer.log == [
        ("reserve", "small", 500, 0.0),
        ("settle", "small", 500, 0),
        ("back_off", "small", 3),
        ("reserve", "small", 500, 0.0),
        ("settle", "small", 500, 1_100),
    ]
    assert world.waited == [0, 3]


def test_an_empty_account_is_no_matter_of_rate() -> None:
    empty = ProviderError(FailureKind.FATAL, "HTTP 429: insufficient_quota", http_status=429, retry_after=5)
    pacer = Script(small=[0.0], large=[0.0])
    World(empty, answer()).dispatch(pacer=pacer, tokens=500)
    assert not [entry for entry in pacer.log if entry[0] == "back_off"]


def test_what_a_broken_call_used_is_unknown() -> None:
    lost = ProviderError(FailureKind.RETRYABLE, "the connection broke")
    pacer = Script(small=[0.0])
    World(lost, answer()).dispatch(pacer=pacer, tokens=500)
    assert [entry[0] for entry in pacer.log] == ["reserve", "reserve", "settle"]


def test_cancelled_while_waiting_for_a_place() -> None:
    world, pacer = World(), Script(small=[1.0])
    world.stop_after_sleep = True
    with pytest.raises(Cancelled):
        world.dispatch(pacer=pacer, tokens=500)
    assert world.slept < 1
