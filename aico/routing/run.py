"""One job on its way through its candidates: what was tried, and what it cost."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from aico.core.attempts import Attempt, AttemptOutcome, KeySource
from aico.core.chat import ChatRequest, Completion
from aico.core.jobs import Verified
from aico.core.usage import Usage
from aico.routing.metering import Metered
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled
from aico.routing.pacing import Pacer, used_tokens
from aico.routing.places import Obstacles, Place, Places, Target
from aico.routing.prices import PriceBook
from aico.routing.providers.chat_provider import OnDelta
from aico.routing.providers.credential import own_key_refused, source_of
from aico.routing.providers.failures import ProviderError
from aico.routing.providers.transport import SLICE_SECONDS, CallStopped
from aico.routing.providers.wire import CacheHint
from aico.routing.retrying import Timing
from aico.routing.tracing import trace_call
from aico.tracing import spans

Caching = Callable[[Model], CacheHint | None]


def nothing_kept(_: Model) -> None:
    """No provider is told what to keep of a prompt."""


@dataclass(frozen=True)
class Dispatched:
    """`notes` say which candidates were passed over, and why."""

    completion: Completion
    model: Model
    attempts: tuple[Attempt, ...]  # the one that answered comes last
    verified: Verified | None = None  # what became of a draft; None where none was checked
    notes: tuple[str, ...] = ()


@dataclass
class Run:
    """One job on its way through the candidates."""

    prices: PriceBook
    timing: Timing
    pacer: Pacer
    places: Places
    request: ChatRequest
    deadline: float
    record: Callable[[Attempt], None]
    should_stop: Callable[[], bool]
    on_delta: OnDelta | None
    tokens: int
    patience: float
    starting: Callable[[Model], None] | None
    caching: Caching
    attempts: list[Attempt] = field(default_factory=list)
    obstacles: Obstacles = field(default_factory=Obstacles)
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

    def first_with_room(self) -> tuple[float, Target]:
        """Of those whose limits have no room now, with the seconds until it has."""
        waits = [(self.places.wait(one, self.tokens), one) for one in self.obstacles.crowded]
        return min(waits, key=lambda pair: pair[0])

    def attempt(self, place: Place, timeout: float) -> Completion:
        """One call when its place has come, metered whichever way it ends."""
        target = place.target
        self.sleep(place.wait)
        self.check()
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
                on_empty=partial(self._wait_for_more, target),
                caching=self.caching(target.model),
            )
        except ProviderError as error:
            if source_of(target.credential) is KeySource.TENANT and (
                said := own_key_refused(target.model.provider, error)
            ):
                error.message = self.own_key = said
            meter(AttemptOutcome(error.kind.value), error.usage, error)
            raise
        except CallStopped as stopped:
            meter(AttemptOutcome.CANCELLED, stopped.usage)
            raise Cancelled(tuple(self.attempts)) from None
        except Exception:
            meter(AttemptOutcome.LOST, None)
            raise
        meter(AttemptOutcome.OK, completion.usage, completion=completion)
        return completion

    def answered(self, model: Model, completion: Completion) -> Dispatched | None:
        """None where it is a draft that does not pass."""
        verified: Verified | None = None if self.draft is None else "escalated"
        found = Dispatched(completion, model, tuple(self.attempts), verified, self.obstacles.notes)
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
        return replace(draft, attempts=(*tried, made), verified="kept", notes=self.obstacles.notes)

    def _say(self, draft: Completion) -> None:
        if self.on_delta is not None and draft.text:
            self.on_delta(draft.text)

    def unasked(self, model: Model, error: ProviderError) -> None:
        """Book a candidate that could not be asked: the tenant's own key cannot be read."""
        self.own_key = error.message
        call = Metered(model, KeySource.TENANT, self.timing.now())
        self.record(self._booked(call.attempt(self.prices, AttemptOutcome(error.kind.value), None, error)))

    def exhausted(self, reason: str | None = None, *, comes_back: float | None = None) -> AllCandidatesFailed:
        """`comes_back`: in how many seconds a candidate that was not asked may be."""
        last = self.attempts[-1].error if self.attempts else None
        detail = reason or last or "no time was left to ask a model"
        if self.own_key is not None and self.own_key != detail:  # other candidates came after it
            detail = f"{detail}; before that, {self.own_key}"
        waits = [seconds for seconds in (self.retry_after, comes_back) if seconds is not None]
        return AllCandidatesFailed(
            detail, tuple(self.attempts), retry_after=max(waits, default=None), comes_back=comes_back is not None
        )

    def _wait_for_more(self, target: Target, seconds: float) -> None:
        """The provider says that nothing is left: the next call would be refused, whoever made it."""
        self.pacer.back_off(target.model, seconds, account=target.account)

    def _meter(
        self,
        target: Target,
        at: datetime,
        started: float,
        outcome: AttemptOutcome,
        usage: Usage | None,
        error: ProviderError | None = None,
        completion: Completion | None = None,
    ) -> None:
        call = Metered(target.model, source_of(target.credential), at, self.timing.clock() - started)
        attempt = self._booked(call.attempt(self.prices, outcome, usage, error))
        if spans.on():
            streamed = self.on_delta is not None and target.model is not self.drafter
            trace_call(target, self.request, attempt, completion, error, streamed=streamed)
        if (used := used_tokens(attempt)) is not None:
            self.pacer.settle(target.model, self.tokens, used, account=target.account)
        self.record(attempt)

    def _booked(self, attempt: Attempt) -> Attempt:
        self.attempts.append(attempt)
        return attempt
