"""Ask the candidates in order until one answers. All of a job's calls to providers pass through here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from aico.core.attempts import Attempt
from aico.core.chat import ChatRequest, Completion
from aico.core.settings import Settings
from aico.routing.breaker import Breaker, NoBreaker
from aico.routing.chat_provider import ChatProvider, OnDelta
from aico.routing.models import Model
from aico.routing.no_answer import Held, Unwell
from aico.routing.pacing import NoPacer, Pacer
from aico.routing.places import Place, Places, Target, Wanted
from aico.routing.prices import PriceBook
from aico.routing.providers.credential import Credential, Credentials, operators
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.run import Caching, Run, Timing, nothing_kept

_LONGEST_PACING_SLEEP = 1.0  # seconds; for longer the thread is worth more to another job
_LEASE_MARGIN = 5.0  # seconds that a call may take beyond its timeout, to be stopped and booked
_NO_KEYS: Mapping[str, Sequence[Credential]] = MappingProxyType({})


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
class Dispatched:
    """`notes` say which candidates were passed over, and why."""

    completion: Completion
    model: Model
    attempts: tuple[Attempt, ...]
    notes: tuple[str, ...] = ()


class Dispatcher:
    """Thread-safe: everything that belongs to one job lives in one `Run`."""

    def __init__(
        self,
        providers: Mapping[str, ChatProvider],
        prices: PriceBook,
        policy: RetryPolicy | None = None,
        timing: Timing | None = None,
        pacer: Pacer | None = None,
        breaker: Breaker | None = None,
        keys: Mapping[str, Sequence[Credential]] = _NO_KEYS,
    ) -> None:
        """`keys` are the operator's by provider, which stand for one another; a provider without has one of its own."""
        self._providers = providers
        self._prices = prices
        self._policy = policy or RetryPolicy()
        self._timing = timing or Timing()
        self._pacer = pacer or NoPacer()
        self._breaker = breaker or NoBreaker()
        self._keys = keys

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
        caching: Caching = nothing_kept,
    ) -> Dispatched:
        """The first answer.

        `deadline` is in seconds of the monotonic clock; `should_stop` is asked several times a second, so it must be
        cheap; `starting` gets the model before each call, `record` every attempt as it ends, the failed ones too.
        `tokens` is what prompt and answer are expected to take together, `patience` how many seconds a candidate's
        rate limits may ask to wait before the next candidate is preferred; `reserved` is the place that an earlier
        `Held` announced. `credentials` says with whose key each provider is called, `caching` what it keeps of the
        prompt.
        Raises AllCandidatesFailed, Held, Unwell, or Cancelled once `should_stop` says so.
        """
        places = Places(self._pacer, self._breaker, self._timing.uniform)
        effects = (self._prices, self._timing, self._pacer, places)
        run = Run(*effects, request, deadline, record, should_stop, on_delta, tokens, patience, starting, caching)
        for model in sorted(candidates, key=lambda model: not _is_place_of(model, reserved)):
            try:
                targets = self._targets(model, credentials(model.provider))
            except ProviderError as error:
                run.unasked(model, error)
                continue
            completion = self._ask(run, targets, reserved if _is_place_of(model, reserved) else None)
            if completion is not None:
                return Dispatched(completion, model, tuple(run.attempts), run.obstacles.notes)
        raise self._turned_away(run)

    def _targets(self, model: Model, own: Credential | None) -> list[Target]:
        """The candidate with each key that it may be called with: the tenant's own alone, or any of the operator's."""
        keys = (own,) if own is not None else self._keys.get(model.provider) or (None,)
        return [Target(model, self._providers[model.provider], key) for key in keys]

    def _ask(self, run: Run, targets: Sequence[Target], reserved: str | None) -> Completion | None:
        """One candidate's answer, or None where the next candidate is to be asked."""
        for tries_made in range(1, self._policy.tries + 1):
            place = self._find_place(run, targets, reserved if tries_made == 1 else None)
            if place is None:
                return None
            timeout = min(self._policy.attempt_timeout, run.time_left - place.wait)
            try:
                with run.places.entered(place, whole=timeout >= self._policy.attempt_timeout):
                    return run.attempt(place, timeout)
            except ProviderError as error:
                delay = self._delay(run, place.target, error, tries_made)
                if error.content_started:
                    raise run.exhausted() from error
                if error.key_refused and len(targets) > 1:
                    continue  # its breaker has opened: another key is asked, at once
                # A longer pause is the job's to wait, not a thread's.
                too_long = delay >= run.time_left or delay > self._policy.cap
                if too_long or error.kind is FailureKind.FATAL or tries_made == self._policy.tries:
                    return None
                run.sleep(delay)
        return None

    def _find_place(self, run: Run, targets: Sequence[Target], reserved: str | None) -> Place | None:
        if run.time_left <= 0:
            return None
        lease = self._policy.attempt_timeout + _LEASE_MARGIN
        wanted = Wanted(run.tokens, min(run.patience, run.time_left), lease, reserved)
        place = run.places.find(targets, wanted, run.obstacles)
        if place is not None and place.wait > _LONGEST_PACING_SLEEP:
            run.places.give_up(place.entry)
            raise Held(place.target.model.id, place.wait, tuple(run.attempts), place.target.place)
        if place is not None and run.time_left - place.wait <= 0:
            run.places.give_up(place.entry)
            return None
        return place

    def _turned_away(self, run: Run) -> Exception:
        """What becomes of a job that nobody answered: whoever can be asked first is waited for."""
        crowded, recovering = run.obstacles.crowded, run.obstacles.recovering
        if run.time_left <= 0:
            return run.exhausted()
        if crowded and (recovering is None or run.first_with_room()[0] <= recovering.entry.wait):
            return self._held(run)
        if recovering is None:
            return run.exhausted(None if run.attempts else "; ".join(run.obstacles.notes) or None)
        seconds = recovering.entry.wait + self._timing.uniform()  # who waits together is not to come back together
        if seconds >= run.time_left:
            return run.exhausted(f"{recovering}, which is after the deadline")
        if run.attempts:  # that nobody else answered counts as a try
            last = run.attempts[-1]
            asked = last.model == recovering.target.model.id  # until its breaker opened
            return run.exhausted(None if asked else f"{last.error}; {recovering}", comes_back=seconds)
        return Unwell("; ".join(run.obstacles.notes), seconds)

    def _held(self, run: Run) -> Exception:
        """A place with whichever has one first, or the news that none has one in time."""
        _, first = run.first_with_room()
        wait = self._pacer.reserve(first.model, run.tokens, patience=run.time_left, account=first.account)
        if wait is None:
            return run.exhausted("rate limits leave no place before the deadline")
        return Held(first.model.id, wait, tuple(run.attempts), first.place)

    def _delay(self, run: Run, target: Target, error: ProviderError, tries_made: int) -> float:
        """Seconds before another try; after a refusal for the rate's sake, for everybody who calls with that key."""
        delay = error.retry_after
        if delay is None:
            delay = self._policy.backoff(tries_made, self._timing.uniform())
        else:
            run.retry_after = max(delay, run.retry_after or 0.0)
        if error.http_status == HTTPStatus.TOO_MANY_REQUESTS and error.kind is FailureKind.RETRYABLE:
            self._pacer.back_off(target.model, delay, account=target.account)
        return delay


def _is_place_of(model: Model, reserved: str | None) -> bool:
    return reserved is not None and reserved.partition(" ")[0] == model.id
