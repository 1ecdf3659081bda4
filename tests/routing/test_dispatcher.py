from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aico.core.attempts import Attempt, AttemptOutcome
from aico.core.chat import ChatRequest, Completion, FinishReason, Message, Role
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import AllCandidatesFailed, Cancelled, Dispatched, Dispatcher, RetryPolicy, Timing
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.providers.failures import FailureKind, ProviderError

REQUEST = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),))
CATALOGUE = Catalogue.from_settings(Settings.model_construct())
PRICES = PriceBook(CATALOGUE)
BUSY = ProviderError(FailureKind.RETRYABLE, "HTTP 503: busy", http_status=503)
REFUSED = ProviderError(FailureKind.FATAL, "HTTP 400: refused", http_status=400)
USAGE = Usage(input_uncached=1_000, output=100)
SMALL, LARGE = (
    next(model for model in CATALOGUE.all_models if model.id == name) for name in ("gpt-5.4-nano", "gpt-5.4")
)

Step = Exception | Completion | tuple[str, ...]


def answer(text: str = "Hi", usage: Usage = USAGE) -> Completion:
    return Completion(text=text, finish_reason=FinishReason.STOP, model="m", usage=usage)


def wait(seconds: float) -> ProviderError:
    return ProviderError(FailureKind.RETRYABLE, "HTTP 429: slow down", http_status=429, retry_after=seconds)


class World:
    """One provider that plays a script, a clock that only moves when somebody waits or calls, and what was recorded."""

    def __init__(self, *script: Step, call_seconds: float = 1.0) -> None:
        self.script = list(script)
        self.call_seconds = call_seconds
        self.time = 0.0
        self.slept: list[float] = []
        self.asked: list[tuple[str, float]] = []
        self.recorded: list[Attempt] = []
        self.deltas: list[str] = []
        self.stop = self.stop_after_sleep = False

    def send_message(
        self, request: ChatRequest, model: Model, *, timeout: float, on_delta: Callable[[str], None] | None = None
    ) -> Completion:
        assert request is REQUEST
        self.asked.append((model.id, timeout))
        self.time += self.call_seconds
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, tuple):
            assert on_delta is not None
            for delta in step:
                on_delta(delta)
            raise ProviderError(FailureKind.RETRYABLE, "broken off", content_started=True, usage=USAGE)
        return step

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        self.stop = self.stop_after_sleep

    def dispatch(self, *candidates: Model, deadline: float = 100.0, stream: bool = False) -> Dispatched:
        timing = Timing(
            clock=lambda: self.time,
            now=lambda: datetime(2026, 11, 20, tzinfo=UTC),
            sleep=self.sleep,
            uniform=lambda: 1.0,
        )
        dispatcher = Dispatcher({"openai": self}, PRICES, RetryPolicy(attempt_timeout=30), timing)
        return dispatcher.dispatch(
            REQUEST,
            candidates or (SMALL, LARGE),
            deadline=deadline,
            record=self.recorded.append,
            should_stop=lambda: self.stop,
            on_delta=self.deltas.append if stream else None,
        )

    def outcomes(self) -> list[tuple[str, str]]:
        return [(attempt.model, attempt.outcome.value) for attempt in self.recorded]


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
    assert world.slept == [0.5, 1.0, 0.5]
    failed = world.recorded[0]
    assert (failed.http_status, failed.error, failed.cost_cents) == (503, "HTTP 503: busy", None)
    assert len({attempt.id for attempt in world.recorded}) == 5


def test_refusal_goes_to_the_next_candidate_at_once() -> None:
    world = World(REFUSED, answer())
    assert world.dispatch().model is LARGE
    assert world.slept == []


def test_retry_after_is_honoured_exactly() -> None:
    world = World(wait(20), answer())
    assert world.dispatch().model is SMALL
    assert world.slept == [20]


def test_retry_after_beyond_the_deadline_moves_on_at_once() -> None:
    world = World(wait(99.5), answer())
    assert world.dispatch().model is LARGE
    assert world.slept == []


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


def test_cancelled_while_streaming() -> None:
    world = World(("Hel", "lo"), answer())

    def keep(delta: str) -> None:
        world.deltas = [*world.deltas, delta]
        world.stop = True

    timing = Timing(clock=lambda: world.time, sleep=world.sleep)
    with pytest.raises(Cancelled):
        Dispatcher({"openai": world}, PRICES, timing=timing).dispatch(
            REQUEST,
            (SMALL, LARGE),
            deadline=100,
            record=world.recorded.append,
            should_stop=lambda: world.stop,
            on_delta=keep,
        )
    assert world.deltas == ["Hel"]
    assert world.outcomes() == [("gpt-5.4-nano", "cancelled")]


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
