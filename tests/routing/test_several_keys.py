"""Dispatching with several keys of the operator's: shared out by weight, each with its own health and limits."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import SecretStr
from routing.dispatching import BUSY, PRICES, REQUEST, SMALL, World, answer

from aico.core.attempts import KeySource
from aico.routing.dispatcher import Dispatcher
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Held, Unwell
from aico.routing.providers.credential import Credential
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.retrying import RetryPolicy, Timing
from aico.workers.breakers import LocalBreaker

DENIED = ProviderError(FailureKind.FATAL, "HTTP 401: who are you?", http_status=401)
FORBIDDEN = ProviderError(FailureKind.FATAL, "HTTP 403: not you", http_status=403)
FIRST, SECOND = (
    Credential(UUID(int=number), SecretStr(f"house-key-{number}"), KeySource.OPERATOR) for number in (1, 2)
)
OWN = Credential(UUID(int=9), SecretStr("tenant-key"))
KEYS = (FIRST, SECOND)


def breaker_of(world: World) -> LocalBreaker:
    return LocalBreaker(lambda: 1_000.0 + world.time, lambda: 1.0)


@pytest.mark.parametrize("error", [DENIED, FORBIDDEN])
def test_a_refused_key_is_left_out_at_once_and_the_calls_fall_to_the_other(error: ProviderError) -> None:
    world = World(error, answer(), answer(), answer())
    breaker = breaker_of(world)
    for _ in range(3):
        assert world.dispatch(SMALL, breaker=breaker, keys=KEYS).model is SMALL
    assert Counter(world.keys) == {world.keys[0]: 1, world.keys[1]: 3}
    assert [attempt.key_source for attempt in world.recorded] == [KeySource.OPERATOR] * 4
    assert world.outcomes()[:2] == [("gpt-5.4-nano", "fatal"), ("gpt-5.4-nano", "ok")]


def test_an_only_key_that_is_refused_fails_jobs_at_once_and_the_provider_is_left_alone() -> None:
    world = World(DENIED)
    breaker = breaker_of(world)
    with pytest.raises(AllCandidatesFailed, match="HTTP 401"):
        world.dispatch(SMALL, breaker=breaker, keys=[FIRST])
    with pytest.raises(AllCandidatesFailed, match="openai refused the operator's key") as caught:
        world.dispatch(SMALL, breaker=breaker, keys=[FIRST])
    assert (len(world.asked), caught.value.retryable, caught.value.attempts) == (1, False, ())


def test_another_key_is_not_judged_by_the_one_before() -> None:
    world = World(DENIED, answer())
    breaker = breaker_of(world)
    with pytest.raises(AllCandidatesFailed):
        world.dispatch(SMALL, breaker=breaker, keys=[FIRST])
    assert world.dispatch(SMALL, breaker=breaker, keys=[SECOND]).model is SMALL


def test_a_tenants_own_key_is_never_replaced_by_any_of_the_operators() -> None:
    world = World(DENIED)
    breaker = breaker_of(world)
    with pytest.raises(AllCandidatesFailed, match="the operator's is not used instead"):
        world.dispatch(SMALL, breaker=breaker, keys=KEYS, credentials=lambda _: OWN)
    with pytest.raises(AllCandidatesFailed, match="openai refused the tenant's key"):
        world.dispatch(SMALL, breaker=breaker, keys=KEYS, credentials=lambda _: OWN)
    world.script = [answer()]
    assert world.dispatch(SMALL, breaker=breaker, keys=KEYS).model is SMALL  # others' calls are no matter of its
    assert world.keys[0] == "tenant-key"
    assert world.keys[1] in {"house-key-1", "house-key-2"}


def test_calls_are_spread_by_weight() -> None:
    heavy = replace(SECOND, weight=3)
    world = World(*[answer()] * 400)
    lots = numbers()
    timing = Timing(clock=lambda: world.time, sleep=world.sleep, uniform=lambda: next(lots))
    dispatcher = Dispatcher({"openai": world}, PRICES, RetryPolicy(), timing, keys={"openai": (FIRST, heavy)})
    for _ in range(400):
        dispatcher.dispatch(
            REQUEST, [SMALL], deadline=world.time + 60, record=world.recorded.append, should_stop=lambda: False
        )
    assert Counter(world.keys)["house-key-2"] == pytest.approx(300, abs=12)


def numbers() -> Iterator[float]:
    """Evenly in 0..1, in two dimensions as well: the additive recurrence of the plastic number."""
    step = 0
    while True:
        step += 1
        yield (step * 0.7548776662466927) % 1
        yield (step * 0.5698402909980532) % 1


class Rooms:
    """A pacer that asks for waits by key."""

    def __init__(self, waits: dict[UUID | None, float]) -> None:
        self.waits = waits
        self.backed_off: list[tuple[float, UUID | None]] = []

    def reserve(self, model: Model, tokens: int, *, patience: float, account: UUID | None = None) -> float | None:
        del model, tokens
        return self.waits[account] if self.waits[account] <= patience else None

    def wait(self, model: Model, tokens: int, *, account: UUID | None = None) -> float:
        del model, tokens
        return self.waits[account]

    def settle(self, model: Model, reserved_tokens: int, used_tokens: int, *, account: UUID | None = None) -> None:
        """Nothing is kept."""

    def back_off(self, model: Model, seconds: float, *, account: UUID | None = None) -> None:
        del model
        self.backed_off.append((seconds, account))


@pytest.mark.parametrize("full", [0, 1])
def test_a_key_without_room_leaves_the_call_to_the_other(full: int) -> None:
    world = World(answer())
    waits: dict[UUID | None, float] = {one.id: 30.0 if number == full else 0.0 for number, one in enumerate(KEYS)}
    world.dispatch(SMALL, pacer=Rooms(waits), keys=KEYS)
    assert world.keys == [KEYS[1 - full].api_key.get_secret_value()]


def test_where_no_key_has_room_the_place_of_the_first_that_will_is_kept() -> None:
    world = World(answer())
    rooms = Rooms({FIRST.id: 30.0, SECOND.id: 1.5})
    with pytest.raises(Held) as caught:
        world.dispatch(SMALL, pacer=rooms, keys=KEYS)
    assert (caught.value.model_id, caught.value.seconds) == (SMALL.id, 1.5)
    assert world.dispatch(pacer=rooms, keys=KEYS, reserved=caught.value.place).model is SMALL
    assert world.keys == ["house-key-2"]


def test_a_key_of_which_nothing_is_left_is_not_used_before_its_reset() -> None:
    world = World(answer(), BUSY, answer())
    world.empty_for = 12.0
    rooms = Rooms({FIRST.id: 0.0})
    for _ in range(2):
        world.dispatch(SMALL, pacer=rooms, keys=[FIRST])
    assert rooms.backed_off == [(12.0, FIRST.id)] * 3


def every_order(keys: Sequence[Credential]) -> list[Sequence[Credential]]:
    return [keys, keys[::-1]]


@pytest.mark.parametrize("keys", every_order(KEYS), ids=["one way", "the other"])
def test_a_sick_model_is_sick_with_one_key_alone(keys: Sequence[Credential]) -> None:
    world = World(*[BUSY] * 5)
    breaker = breaker_of(world)
    for _ in range(2):
        with pytest.raises((AllCandidatesFailed, Unwell)):
            world.dispatch(SMALL, breaker=breaker, keys=keys[:1])
    world.script = [answer()]
    assert world.dispatch(SMALL, breaker=breaker, keys=keys).model is SMALL
    assert world.keys[-1] == keys[1].api_key.get_secret_value()
