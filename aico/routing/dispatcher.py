"""Ask the candidates in order until one answers. All of a job's calls to providers pass through here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from uuid import UUID

from aico.core.attempts import Attempt, AttemptOutcome, KeySource
from aico.core.chat import ChatRequest, Completion
from aico.core.errors import BudgetExceeded
from aico.core.jobs import Verified
from aico.core.usage import Usage
from aico.routing.metering import Metered
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Held
from aico.routing.pacing import NoPacer, Pacer, used_tokens
from aico.routing.prices import PriceBook
from aico.routing.providers.chat_provider import ChatProvider, OnDelta
from aico.routing.providers.credential import Credential, Credentials, operators, own_key_refused, source_of
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.providers.transport import SLICE_SECONDS, CallStopped
from aico.routing.retrying import RetryPolicy, Timing

_LONGEST_PACING_SLEEP = 1.0  # seconds; for longer the thread is worth more to another job


@dataclass(frozen=True)
class Dispatched:
    completion: Completion
    model: Model
    attempts: tuple[Attempt, ...]  # the one that answered comes last
    verified: Verified | None = None  # what became of a draft; None where none was checked


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
        check: Callable[[Completion], bool] | None = None,
    ) -> Dispatched:
        """The first answer.

        `deadline` is in seconds of the monotonic clock; `should_stop` is asked several times a second, so it must be
        cheap; `starting` gets the model before each call, `record` every attempt as it ends, the failed ones too.
        `tokens` is what prompt and answer are expected to take together, `patience` how many seconds a candidate's
        rate limits may ask to wait before the next candidate is preferred; `reserved` is the model whose place an
        earlier `Held` announced. `credentials` says with whose key each provider is called.
        With `check` the first candidate's answer is a draft: nothing of it goes out before it has passed, and where it
        does not, the others are asked; if none of them answers, or the budget does not allow it, it is the answer.
        Raises AllCandidatesFailed, Held, or Cancelled once `should_stop` says so.
        """
        effects = (self._prices, self._timing, self._pacer)
        run = _Run(*effects, request, deadline, record, should_stop, on_delta, tokens, patience, starting)
        if check is not None and reserved in {None, candidates[0].id}:
            run.drafter, run.passes = candidates[0], check
        return self._first(run, sorted(candidates, key=lambda model: model.id != reserved), reserved, credentials)

    def _first(
        self, run: "_Run", candidates: Sequence[Model], reserved: str | None, credentials: Credentials
    ) -> Dispatched:
        for model in candidates:
            try:
                target = _Target(model, self._providers[model.provider], credentials(model.provider))
            except ProviderError as error:
                run.unasked(model, error)
                continue
            try:
                completion = self._ask(run, target, has_place=model.id == reserved)
            except BudgetExceeded:
                if run.draft is None:
                    raise
                break
            if completion is not None and (answered := run.answered(model, completion)):
                return answered
        if run.draft is not None:
            return run.kept(run.draft)
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
    drafter: Model | None = None  # whose answer is checked before anybody sees it
    passes: Callable[[Completion], bool] = lambda _: True
    draft: Dispatched | None = None  # that did not pass

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
                on_delta=None if target.model is self.drafter else self.on_delta,
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

    def answered(self, model: Model, completion: Completion) -> Dispatched | None:
        """None where it is a draft that does not pass."""
        found = Dispatched(completion, model, tuple(self.attempts), None if self.draft is None else "escalated")
        if model is not self.drafter:
            return found
        if not self.passes(completion):
            self.draft = found
            return None
        self._say(completion)
        return replace(found, verified="passed")

    def kept(self, draft: Dispatched) -> Dispatched:
        """The draft after all, with what was tried in vain before the attempt that made it."""
        self.check()
        self._say(draft.completion)
        made = draft.attempts[-1]
        tried = (attempt for attempt in self.attempts if attempt is not made)
        return replace(draft, attempts=(*tried, made), verified="kept")

    def _say(self, draft: Completion) -> None:
        if self.on_delta is not None and draft.text:
            self.on_delta(draft.text)

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
