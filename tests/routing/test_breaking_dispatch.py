"""Dispatching past circuit breakers."""

import pytest
from routing.dispatching import BUSY, LARGE, REFUSED, SMALL, World, answer, wait

from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Unwell
from aico.routing.providers.failures import Cause, FailureKind, ProviderError
from aico.workers.breakers import LocalBreaker

UNREACHABLE = ProviderError(FailureKind.RETRYABLE, "no connection", cause=Cause.UNREACHABLE)
SLOW = ProviderError(FailureKind.RETRYABLE, "too slow", cause=Cause.TIMEOUT)
FLAGGED = ProviderError(FailureKind.FATAL, "HTTP 403: not this", http_status=403, code="content_flagged")


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
