"""Ask the candidates in order until one answers. All of a job's calls to providers pass through here."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.chat import ChatRequest, Completion
from aico.core.errors import AicoError
from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.providers.failures import FailureKind, ProviderError

OnDelta = Callable[[str], None]
_LATENCY_UNITS = 1000  # milliseconds in a second


class AllCandidatesFailed(AicoError):
    """Nobody answered, or a stream broke off after its first piece. `detail` is the last failure's safe message."""

    status = HTTPStatus.BAD_GATEWAY
    code = "all_candidates_failed"
    title = "No model answered"

    def __init__(self, detail: str, attempts: tuple[Attempt, ...]) -> None:
        super().__init__(detail)
        self.attempts = attempts


class Cancelled(Exception):
    """The job was cancelled while it was being answered."""

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        super().__init__("cancelled")
        self.attempts = attempts


class ChatProvider(Protocol):
    def send_message(
        self, request: ChatRequest, model: Model, *, timeout: float, on_delta: OnDelta | None = None
    ) -> Completion: ...


@dataclass(frozen=True)
class RetryPolicy:
    """Times in seconds. Before try n+1 of a candidate: uniformly random up to base * 2^(n-1), at most the cap."""

    tries: int = 3
    base: float = 0.5
    cap: float = 8.0
    attempt_timeout: float = 60.0

    @classmethod
    def from_settings(cls, settings: Settings) -> "RetryPolicy":
        return cls(base=settings.retry_base_seconds, attempt_timeout=settings.attempt_timeout_seconds)

    def backoff(self, tries_made: int, uniform: float) -> float:
        """Full jitter (Brooker, "Exponential Backoff And Jitter", 2015); `uniform` lies in 0..1."""
        return uniform * min(self.cap, self.base * 2.0 ** (tries_made - 1))


@dataclass(frozen=True)
class Timing:
    """The effects of waiting, so that tests can replace them."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[], float] = random.random


@dataclass(frozen=True)
class Dispatched:
    completion: Completion
    model: Model
    attempts: tuple[Attempt, ...]


class Dispatcher:
    """Thread-safe: everything that belongs to one job lives in one `_Run`."""

    def __init__(
        self,
        providers: Mapping[str, ChatProvider],
        prices: PriceBook,
        policy: RetryPolicy | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._providers = providers
        self._prices = prices
        self._policy = policy or RetryPolicy()
        self._timing = timing or Timing()

    def dispatch(
        self,
        request: ChatRequest,
        candidates: Sequence[Model],
        *,
        deadline: float,
        record: Callable[[Attempt], None],
        should_stop: Callable[[], bool],
        on_delta: OnDelta | None = None,
    ) -> Dispatched:
        """The first answer.

        `deadline` is in seconds of the monotonic clock; `should_stop` is asked before each try and with each piece of
        a stream, so it must be cheap; `record` gets every attempt as it ends, the failed ones too.
        Raises AllCandidatesFailed, or Cancelled once `should_stop` says so.
        """
        run = _Run(self._prices, self._timing, request, deadline, record, should_stop, on_delta)
        for model in candidates:
            completion = self._ask(run, model)
            if completion is not None:
                return Dispatched(completion, model, tuple(run.attempts))
        raise run.exhausted()

    def _ask(self, run: "_Run", model: Model) -> Completion | None:
        """One candidate's answer, or None where the next candidate is to be asked."""
        provider = self._providers[model.provider]
        for tries_made in range(1, self._policy.tries + 1):
            left = run.time_left
            if left <= 0:
                return None
            try:
                return run.attempt(provider, model, min(self._policy.attempt_timeout, left))
            except ProviderError as error:
                if error.content_started:
                    raise run.exhausted() from error
                if error.kind is FailureKind.FATAL or tries_made == self._policy.tries:
                    return None
                if not self._wait(run, error, tries_made):
                    return None
        return None

    def _wait(self, run: "_Run", error: ProviderError, tries_made: int) -> bool:
        """Wait before another try; False where there is no time for it."""
        delay = error.retry_after
        if delay is None:
            delay = self._policy.backoff(tries_made, self._timing.uniform())
        if delay >= run.time_left:
            return False
        self._timing.sleep(delay)
        return True


@dataclass(frozen=True)
class _Call:
    model: Model
    at: datetime
    started: float  # monotonic seconds


class _Stopped(Exception):
    """Raised through a provider's stream when the job is to stop."""


class _Run:
    """One job on its way through the candidates."""

    def __init__(
        self,
        prices: PriceBook,
        timing: Timing,
        request: ChatRequest,
        deadline: float,
        record: Callable[[Attempt], None],
        should_stop: Callable[[], bool],
        on_delta: OnDelta | None,
    ) -> None:
        self.attempts: list[Attempt] = []
        self._prices = prices
        self._timing = timing
        self._request = request
        self._deadline = deadline
        self._record = record
        self._should_stop = should_stop
        self._on_delta = on_delta

    @property
    def time_left(self) -> float:
        return self._deadline - self._timing.clock()

    def attempt(self, provider: ChatProvider, model: Model, timeout: float) -> Completion:
        """One call, metered whichever way it ends."""
        if self._should_stop():
            raise Cancelled(tuple(self.attempts))
        call = _Call(model, self._timing.now(), self._timing.clock())
        on_delta = None if self._on_delta is None else self._relay
        try:
            completion = provider.send_message(self._request, model, timeout=timeout, on_delta=on_delta)
        except ProviderError as error:
            self._meter(call, AttemptOutcome(error.kind.value), error.usage, error)
            raise
        except _Stopped:
            self._meter(call, AttemptOutcome.CANCELLED, None)
            raise Cancelled(tuple(self.attempts)) from None
        except Exception:
            self._meter(call, AttemptOutcome.LOST, None)
            raise
        self._meter(call, AttemptOutcome.OK, completion.usage)
        return completion

    def exhausted(self) -> AllCandidatesFailed:
        last = self.attempts[-1].error if self.attempts else None
        return AllCandidatesFailed(last or "no time was left to ask a model", tuple(self.attempts))

    def _relay(self, delta: str) -> None:
        if self._should_stop():
            raise _Stopped
        if self._on_delta is not None:
            self._on_delta(delta)

    def _meter(
        self, call: "_Call", outcome: AttemptOutcome, usage: Usage | None, error: ProviderError | None = None
    ) -> None:
        # An answer without any tokens is an answer without a usage report: its cost is unknown, not zero.
        known = usage if usage is not None and usage.total > 0 else None
        model = call.model
        price = self._prices.cost_cents(model.provider, model.id, known, call.at) if known is not None else None
        attempt = Attempt(
            id=new_id(),
            at=call.at,
            kind=AttemptKind.CALL,
            outcome=outcome,
            provider=model.provider,
            model=model.id,
            latency_ms=max(0, int((self._timing.clock() - call.started) * _LATENCY_UNITS)),
            usage=usage or Usage(),
            cost_cents=price.cents if price is not None else None,
            price_version=price.version if price is not None else None,
            http_status=error.http_status if error is not None else None,
            error=error.message if error is not None else None,
        )
        self.attempts.append(attempt)
        self._record(attempt)
