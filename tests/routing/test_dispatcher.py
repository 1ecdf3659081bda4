from decimal import Decimal

import pytest
from routing.dispatching import BUSY, LARGE, REFUSED, SMALL, USAGE, World, answer, wait

from aico.core.attempts import AttemptOutcome
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.no_answer import AllCandidatesFailed, Cancelled
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.providers.transport import CallStopped
from aico.routing.retrying import RetryPolicy


def test_first_candidate_answers_and_is_metered() -> None:
    world = World(answer())
    result = world.dispatch()
    assert (result.completion.text, result.model) == ("Hi", SMALL)
    (attempt,) = world.recorded
    assert result.attempts == (attempt,)
    assert (attempt.outcome, attempt.latency_ms, attempt.usage) == (AttemptOutcome.OK, 1000, USAGE)
    assert attempt.cost_cents == Decimal("0.0325")  # 1,000 tokens at $0.20 and 100 at $1.25 per million
    assert attempt.price_version is not None
    assert attempt.error is None


def test_each_call_is_announced_before_it_begins() -> None:
    world = World(BUSY, REFUSED, answer())
    world.dispatch()
    assert world.announced == [("gpt-5.4-nano", 0), ("gpt-5.4-nano", 1), ("gpt-5.4", 2)]


def test_retries_back_off_and_then_the_next_candidate() -> None:
    world = World(BUSY, BUSY, BUSY, BUSY, answer())
    assert world.dispatch().model is LARGE
    assert world.outcomes() == [
        ("gpt-5.4-nano", "retryable"),
        ("gpt-5.4-nano", "retryable"),
        ("gpt-5.4-nano", "retryable"),
        ("gpt-5.4", "retryable"),
        ("gpt-5.4", "ok"),
    ]
    assert world.waited == [0, 0.5, 1.0, 0, 0.5]
    failed = world.recorded[0]
    assert (failed.http_status, failed.error, failed.cost_cents) == (503, "HTTP 503: busy", None)
    assert len({attempt.id for attempt in world.recorded}) == 5


def test_refusal_goes_to_the_next_candidate_at_once() -> None:
    world = World(REFUSED, answer())
    assert world.dispatch().model is LARGE
    assert world.waited == [0, 0]


def test_retry_after_is_honoured_exactly() -> None:
    world = World(wait(5), answer())
    assert world.dispatch().model is SMALL
    assert world.waited == [0, 5]


def test_a_long_pause_is_left_to_the_job() -> None:
    world = World(wait(60), answer())
    assert world.dispatch().model is LARGE
    assert world.waited == [0, 0]


def test_retry_after_beyond_the_deadline_moves_on_at_once() -> None:
    world = World(wait(99.5), answer())
    assert world.dispatch().model is LARGE
    assert world.waited == [0, 0]


def test_attempts_get_what_is_left_and_no_more() -> None:
    world = World(BUSY, BUSY, answer(), call_seconds=20)
    world.dispatch(deadline=60)
    assert world.asked == [("gpt-5.4-nano", 30), ("gpt-5.4-nano", 30), ("gpt-5.4-nano", pytest.approx(18.5))]


def test_no_call_after_the_deadline() -> None:
    world = World(BUSY, call_seconds=50)
    with pytest.raises(AllCandidatesFailed) as caught:
        world.dispatch(deadline=40)
    assert len(world.asked) == 1
    assert caught.value.detail == "HTTP 503: busy"
    with pytest.raises(AllCandidatesFailed, match="no time was left"):
        World().dispatch(deadline=0)


def test_all_fail() -> None:
    world = World(REFUSED, BUSY, BUSY, ProviderError(FailureKind.RETRYABLE, "last words"))
    with pytest.raises(AllCandidatesFailed, match="last words") as caught:
        world.dispatch()
    assert caught.value.attempts == tuple(world.recorded)
    assert len(world.recorded) == 4


def test_no_other_try_after_the_first_piece() -> None:
    world = World(("Hel",), answer())
    with pytest.raises(AllCandidatesFailed, match="broken off"):
        world.dispatch(stream=True)
    assert world.deltas == ["Hel"]
    assert world.outcomes() == [("gpt-5.4-nano", "retryable")]
    assert world.recorded[0].cost_cents == Decimal("0.0325")  # the provider had reported what it used


def test_cancelled_before_and_between_tries() -> None:
    world = World()
    world.stop = True
    with pytest.raises(Cancelled):
        world.dispatch()
    assert world.asked == []

    world = World(BUSY, answer())
    world.stop_after_sleep = True
    with pytest.raises(Cancelled) as caught:
        world.dispatch()
    assert len(caught.value.attempts) == len(world.asked) == 1


def test_cancelled_in_the_middle_of_a_wait() -> None:
    world = World(wait(5), answer())
    world.stop_after_sleep = True
    with pytest.raises(Cancelled):
        world.dispatch()
    assert 0 < world.slept < 1


def test_cancelled_while_streaming() -> None:
    world = World(("Hel", "lo"), answer())
    world.stop_after_delta = True
    with pytest.raises(Cancelled) as caught:
        world.dispatch(stream=True)
    assert world.deltas == ["Hel"]
    assert world.outcomes() == [("gpt-5.4-nano", "cancelled")]
    assert caught.value.attempts == tuple(world.recorded)
    assert world.recorded[0].cost_cents == Decimal("0.0325")  # the provider had reported what it used


def test_cancelled_before_any_usage_was_reported_costs_an_unknown_amount() -> None:
    world = World(CallStopped())
    with pytest.raises(Cancelled):
        world.dispatch()
    assert (world.recorded[0].outcome, world.recorded[0].cost_cents) == (AttemptOutcome.CANCELLED, None)


def test_an_unforeseen_error_is_metered_as_lost_and_passes_through() -> None:
    world = World(RuntimeError("the relay is gone"))
    with pytest.raises(RuntimeError):
        world.dispatch()
    assert world.outcomes() == [("gpt-5.4-nano", "lost")]


def test_an_answer_without_usage_costs_an_unknown_amount() -> None:
    world = World(answer(usage=Usage()))
    world.dispatch()
    assert world.recorded[0].cost_cents is None


def test_backoff_is_bounded_and_jittered() -> None:
    policy = RetryPolicy(base=0.5, cap=8)
    assert [policy.backoff(tries, 1.0) for tries in (1, 2, 5, 50)] == [0.5, 1.0, 8.0, 8.0]
    assert policy.backoff(3, 0.0) == 0.0
    assert RetryPolicy.from_settings(Settings.model_construct()).attempt_timeout == 60


def test_failing_says_whether_and_when_another_try_may_help() -> None:
    with pytest.raises(AllCandidatesFailed) as caught:
        World(wait(2), wait(200.5), wait(101)).dispatch(SMALL, LARGE, deadline=102)
    assert (caught.value.retryable, caught.value.retry_after) == (True, 201)
    with pytest.raises(AllCandidatesFailed) as caught:
        World(BUSY, BUSY, BUSY, REFUSED).dispatch()
    assert (caught.value.retryable, caught.value.retry_after) == (False, None)
