"""Ask the candidates in order until one answers. All of a job's calls to providers pass through here."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from pydantic import SecretStr

from aico.core.attempts import Attempt, AttemptOutcome, KeySource
from aico.core.chat import ChatRequest, Completion
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.metering import Metered
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Held
from aico.routing.pacing import NoPacer, Pacer, used_tokens
from aico.routing.prices import PriceBook
from aico.routing.providers.credential import Credential, Credentials, operators, own_key_refused, source_of
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.providers.transport import SLICE_SECONDS, CallStopped

OnDelta = Callable[[str], None]
_LONGEST_PACING_SLEEP = 1.0  # seconds; for longer the thread is worth more to another job


class ChatProvider(Protocol):
    def send_message(
        self,
        request: ChatRequest,
        model: Model,
        *,
        timeout: float,
        on_delta: OnDelta | None = None,
        should_stop: Callable[[], bool] | None = None,
        api_key: SecretStr | None = None,
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
        pacer: Pacer | None = None,
    ) -> None:
        self._providers = providers
        self._prices = prices
        self._policy = policy or RetryPolicy()
        self._timing = timing or Timing()
        self._pacer = pacer or NoPacer()

    def dispatch(
        self,
        request: ChatRequest,
        candidates: Sequence[Model],
        *,
        deadline: float,
        record: Callable[[Attempt], None],
        should_stop: Callable[[], bool],
        on_delta: OnDelta | None = None,
        tokens: int = 0,
        patience: float = 2.0,
        reserved: str | None = None,
        starting: Callable[[Model], None] | None = None,
        credentials: Credentials = operators,
    ) -> Dispatched:
        """The first answer.

        `deadline` is in seconds of the monotonic clock; `should_stop` is asked several times a second, so it must be
        cheap; `starting` gets the model before each call, `record` every attempt as it ends, the failed ones too.
        `tokens` is what prompt and answer are expected to take together, `patience` how many seconds a candidate's
        rate limits may ask to wait before the next candidate is preferred; `reserved` is the model whose place an
        earlier `Held` announced. `credentials` says with whose key each provider is called.
        Raises AllCandidatesFailed, Held, or Cancelled once `should_stop` says so.
        """
        effects = (self._prices, self._timing, self._pacer)
        run = _Run(*effects, request, deadline, record, should_stop, on_delta, tokens, patience, starting)
        for model in sorted(candidates, key=lambda model: model.id != reserved):
            try:
                target = _Target(model, self._providers[model.provider], credentials(model.provider))
            except ProviderError as error:
                run.unasked(model, error)
                continue
            completion = self._ask(run, target, has_place=model.id == reserved)
            if completion is not None:
                return Dispatched(completion, model, tuple(run.attempts))
        raise self._held(run) if run.crowded and run.time_left > 0 else run.exhausted()

    def _ask(self, run: "_Run", target: "_Target", *, has_place: bool) -> Completion | None:
        """One candidate's answer, or None where the next candidate is to be asked."""
        for tries_made in range(1, self._policy.tries + 1):
            placed = (has_place and tries_made == 1) or self._take_place(run, target)
            if not placed or run.time_left <= 0:
                return None
            run.check()
            try:
                return run.attempt(target, min(self._policy.attempt_timeout, run.time_left))
            except ProviderError as error:
                delay = self._delay(run, target, error, tries_made)
                if error.content_started:
                    raise run.exhausted() from error
                # A longer pause is the job's to wait, not a thread's.
                too_long = delay >= run.time_left or delay > self._policy.cap
                if too_long or error.kind is FailureKind.FATAL or tries_made == self._policy.tries:
                    return None
                run.sleep(delay)
        return None

    def _take_place(self, run: "_Run", target: "_Target") -> bool:
        patience = min(run.patience, run.time_left)
        wait = self._pacer.reserve(target.model, run.tokens, patience=patience, account=target.account)
        if wait is None:
            run.crowded.append(target)
            return False
        if wait > _LONGEST_PACING_SLEEP:
            raise Held(target.model.id, wait, tuple(run.attempts))
        run.sleep(wait)
        return True

    def _held(self, run: "_Run") -> Exception:
        """A place with whichever has one first, or the news that none has one in time."""
        first = min(run.crowded, key=lambda one: self._pacer.wait(one.model, run.tokens, account=one.account))
        wait = self._pacer.reserve(first.model, run.tokens, patience=run.time_left, account=first.account)
        if wait is None:
            return run.exhausted("rate limits leave no place before the deadline")
        return Held(first.model.id, wait, tuple(run.attempts))

    def _delay(self, run: "_Run", target: "_Target", error: ProviderError, tries_made: int) -> float:
        """Seconds before another try; after a refusal for the rate's sake, for everybody who calls with that key."""
        delay = error.retry_after
        if delay is None:
            delay = self._policy.backoff(tries_made, self._timing.uniform())
        else:
            run.retry_after = max(delay, run.retry_after or 0.0)
        if error.http_status == HTTPStatus.TOO_MANY_REQUESTS and error.kind is FailureKind.RETRYABLE:
            self._pacer.back_off(target.model, delay, account=target.account)
        return delay


@dataclass(frozen=True)
class _Target:
    """A candidate, and the tenant's own key for it, where there is one."""

    model: Model
    provider: ChatProvider
    credential: Credential | None

    @property
    def account(self) -> UUID | None:
        return None if self.credential is None else self.credential.id


@dataclass
class _Run:
    """One job on its way through the candidates."""

    prices: PriceBook
    timing: Timing
    pacer: Pacer
    request: ChatRequest
    deadline: float
    record: Callable[[Attempt], None]
    should_stop: Callable[[], bool]
    on_delta: OnDelta | None
    tokens: int
    patience: float
    starting: Callable[[Model], None] | None
    attempts: list[Attempt] = field(default_factory=list)
    crowded: list[_Target] = field(default_factory=list)  # whose rate limits asked for more patience than there is
    retry_after: float | None = None  # seconds
    own_key: str | None = None  # what became of a tenant's own key that was of no use

    @property
    def time_left(self) -> float:
        return self.deadline - self.timing.clock()

    def check(self) -> None:
        if self.should_stop():
            raise Cancelled(tuple(self.attempts))

    def sleep(self, seconds: float) -> None:
        """Raises Cancelled when the job is to stop in the meantime."""
        wake = self.timing.clock() + seconds
        while (left := wake - self.timing.clock()) > 0:
            self.check()
            self.timing.sleep(min(left, SLICE_SECONDS))

    def attempt(self, target: _Target, timeout: float) -> Completion:
        """One call, metered whichever way it ends."""
        if self.starting is not None:
            self.starting(target.model)
        meter = partial(self._meter, target, self.timing.now(), self.timing.clock())
        try:
            completion = target.provider.send_message(
                self.request,
                target.model,
                timeout=timeout,
                on_delta=self.on_delta,
                should_stop=self.should_stop,
                api_key=None if target.credential is None else target.credential.api_key,
            )
        except ProviderError as error:
            if target.credential is not None and (said := own_key_refused(target.model.provider, error)):
                error.message = self.own_key = said
            meter(AttemptOutcome(error.kind.value), error.usage, error)
            raise
        except CallStopped as stopped:
            meter(AttemptOutcome.CANCELLED, stopped.usage)
            raise Cancelled(tuple(self.attempts)) from None
        except Exception:
            meter(AttemptOutcome.LOST, None)
            raise
        meter(AttemptOutcome.OK, completion.usage)
        return completion

    def unasked(self, model: Model, error: ProviderError) -> None:
        """Book a candidate that could not be asked: the tenant's own key cannot be read."""
        self.own_key = error.message
        call = Metered(model, KeySource.TENANT, self.timing.now())
        self.record(self._booked(call.attempt(self.prices, AttemptOutcome(error.kind.value), None, error)))

    def exhausted(self, reason: str | None = None) -> AllCandidatesFailed:
        last = self.attempts[-1].error if self.attempts else None
        detail = reason or last or "no time was left to ask a model"
        if self.own_key is not None and self.own_key != detail:  # other candidates came after it
            detail = f"{detail}; before that, {self.own_key}"
        return AllCandidatesFailed(detail, tuple(self.attempts), retry_after=self.retry_after)

    def _meter(
        self,
        target: _Target,
        at: datetime,
        started: float,
        outcome: AttemptOutcome,
        usage: Usage | None,
        error: ProviderError | None = None,
    ) -> None:
        call = Metered(target.model, source_of(target.credential), at, self.timing.clock() - started)
        attempt = self._booked(call.attempt(self.prices, outcome, usage, error))
        if (used := used_tokens(attempt)) is not None:
            self.pacer.settle(target.model, self.tokens, used, account=target.account)
        self.record(attempt)

    def _booked(self, attempt: Attempt) -> Attempt:
        self.attempts.append(attempt)
        return attempt
