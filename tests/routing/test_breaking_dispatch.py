"""Dispatching past circuit breakers, and with several keys."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import SecretStr
from routing.dispatching import BUSY, LARGE, PRICES, REFUSED, REQUEST, SMALL, World, answer, wait

from aico.core.attempts import KeySource
from aico.routing.dispatcher import Dispatcher, RetryPolicy
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Held, Unwell
from aico.routing.providers.credential import Credential
from aico.routing.providers.failures import Cause, FailureKind, ProviderError
from aico.routing.run import Timing
from aico.workers.breakers import LocalBreaker

UNREACHABLE = ProviderError(FailureKind.RETRYABLE, "no connection", cause=Cause.UNREACHABLE)
SLOW = ProviderError(FailureKind.RETRYABLE, "too slow", cause=Cause.TIMEOUT)
DENIED = ProviderError(FailureKind.FATAL, "HTTP 401: who are you?", http_status=401)
FORBIDDEN = ProviderError(FailureKind.FATAL, "HTTP 403: not you", http_status=403)
FLAGGED = ProviderError(FailureKind.FATAL, "HTTP 403: not this", http_status=403, code="content_flagged")
FIRST, SECOND = (
    Credential(UUID(int=number), SecretStr(f"house-key-{number}"), KeySource.OPERATOR) for number in (1, 2)
)
OWN = Credential(UUID(int=9), SecretStr("tenant-key"))
KEYS = (FIRST, SECOND)


def breaker_of(world: World) -> LocalBreaker:
    return LocalBreaker(lambda: 1_000.0 + world.time, lambda: 1.0)


def failing(world: World, breaker: LocalBreaker, error: ProviderError, times: int, model: Model = SMALL) -> None:
    """So many calls of that model fail, three a job."""
    world.script = [error] * times
    while world.script:
        with pytest.raises(AllCandidatesFailed):
            world.dispatch(model, breaker=breaker, deadline=world.time + 100)
    world.recorded.clear()
    world.asked.clear()


@pytest.fixture
def broken() -> tuple[World, LocalBreaker]:
    """A world where the small model failed five times in a row, a second ago."""
    world = World()
    breaker = breaker_of(world)
    failing(world, breaker, BUSY, 5)
    return world, breaker


def test_a_model_that_keeps_failing_is_passed_over_and_the_answer_says_so(
    broken: tuple[World, LocalBreaker],
) -> None:
    world, breaker = broken
    world.script = [answer()]
    result = world.dispatch(breaker=breaker)
    assert (result.model, len(world.asked)) == (LARGE, 1)
    assert result.notes == ("gpt-5.4-nano is passed over: it keeps failing (HTTP 503); it is tried again in 1 s",)


def test_where_all_are_passed_over_nobody_is_asked_and_the_job_comes_back(
    broken: tuple[World, LocalBreaker],
) -> None:
    world, breaker = broken
    with pytest.raises(Unwell, match=r"nano is passed over: it keeps failing") as caught:
        world.dispatch(SMALL, breaker=breaker)
    assert caught.value.seconds == pytest.approx(2.0)  # what is left of the cooldown, and one by chance
    assert (world.asked, world.recorded) == ([], [])


def test_after_the_cooldown_one_call_finds_out_and_its_answer_closes(broken: tuple[World, LocalBreaker]) -> None:
    world, breaker = broken
    world.time += 2.0
    world.script = [answer(), BUSY, answer()]
    assert world.dispatch(SMALL, breaker=breaker).model is SMALL
    assert world.dispatch(SMALL, breaker=breaker).model is SMALL  # it is closed: one failure is retried as ever


def test_a_probe_that_fails_opens_for_longer_and_is_not_repeated(broken: tuple[World, LocalBreaker]) -> None:
    world, breaker = broken
    world.time += 1.0
    world.script = [BUSY]
    with pytest.raises(AllCandidatesFailed, match="HTTP 503: busy") as caught:
        world.dispatch(SMALL, breaker=breaker)
    assert (len(world.asked), caught.value.retryable, caught.value.retry_after) == (1, True, 5)
    world.time += 2.5
    with pytest.raises(Unwell):
        world.dispatch(SMALL, breaker=breaker)
    assert len(world.asked) == 1


def test_a_cancelled_probe_leaves_it_to_the_next_call_to_find_out(broken: tuple[World, LocalBreaker]) -> None:
    world, breaker = broken
    world.time += 2.0
    world.stop = True
    with pytest.raises(Cancelled):
        world.dispatch(SMALL, breaker=breaker)
    world.stop = False
    world.script = [answer()]
    assert world.dispatch(SMALL, breaker=breaker).model is SMALL


def test_a_probe_that_is_refused_as_a_request_leaves_it_to_the_next(broken: tuple[World, LocalBreaker]) -> None:
    world, breaker = broken
    world.time += 2.0
    world.script = [REFUSED, answer()]
    with pytest.raises(AllCandidatesFailed):
        world.dispatch(SMALL, breaker=breaker)
    assert world.dispatch(SMALL, breaker=breaker).model is SMALL


def test_a_job_whose_deadline_comes_first_fails_and_says_why(broken: tuple[World, LocalBreaker]) -> None:
    world, breaker = broken
    with pytest.raises(AllCandidatesFailed, match=r"keeps failing.*after the deadline") as caught:
        world.dispatch(SMALL, breaker=breaker, deadline=world.time + 1.5)
    assert not caught.value.retryable


def test_a_refusal_and_a_passed_over_candidate_is_a_try_that_comes_back(broken: tuple[World, LocalBreaker]) -> None:
    world, breaker = broken
    world.script = [REFUSED]
    with pytest.raises(AllCandidatesFailed, match="HTTP 400: refused; gpt-5") as caught:
        world.dispatch(breaker=breaker)
    assert (caught.value.retryable, caught.value.retry_after) == (True, 2)


def test_an_overloaded_model_leaves_the_others_of_its_provider_open() -> None:
    world = World()
    breaker = breaker_of(world)
    failing(world, breaker, BUSY, 5)
    world.script = [answer()]
    assert world.dispatch(LARGE, breaker=breaker).model is LARGE


def test_a_provider_out_of_reach_is_passed_over_with_all_its_models() -> None:
    world = World()
    breaker = breaker_of(world)
    failing(world, breaker, UNREACHABLE, 3)
    failing(world, breaker, UNREACHABLE, 2, LARGE)
    with pytest.raises(Unwell, match="openai is passed over: it cannot be reached"):
        world.dispatch(breaker=breaker)
    assert world.asked == []


@pytest.mark.parametrize("error", [wait(0.0), REFUSED, FLAGGED], ids=["rate limit", "bad request", "flagged prompt"])
def test_what_is_no_sickness_opens_nothing(error: ProviderError) -> None:
    world = World(*[error] * 30)
    breaker = breaker_of(world)
    while world.script:
        with pytest.raises(AllCandidatesFailed):
            world.dispatch(SMALL, breaker=breaker)
    world.script = [answer()]
    assert world.dispatch(SMALL, breaker=breaker).model is SMALL


def test_a_call_that_had_little_time_is_no_proof_of_slowness() -> None:
    """Or whoever asks with short deadlines could take a model from everybody."""
    world = World(*[SLOW] * 12, call_seconds=0.5)
    breaker = breaker_of(world)
    while world.script:
        with pytest.raises(AllCandidatesFailed):
            world.dispatch(SMALL, breaker=breaker, deadline=world.time + 20)
    world.script = [answer()]
    assert world.dispatch(SMALL, breaker=breaker).model is SMALL
    world.script = [SLOW] * 5
    for _ in range(2):  # with all the time of a call it is
        with pytest.raises(AllCandidatesFailed):
            world.dispatch(SMALL, breaker=breaker, deadline=world.time + 90)
    with pytest.raises(Unwell):
        world.dispatch(SMALL, breaker=breaker, deadline=world.time + 90)


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
