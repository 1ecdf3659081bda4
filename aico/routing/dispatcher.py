"""Ask the candidates in order until one answers. All of a job's calls to providers pass through here."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType

from aico.core.attempts import Attempt
from aico.core.chat import ChatRequest, Completion
from aico.core.errors import BudgetExceeded
from aico.routing.breaker import Breaker, NoBreaker
from aico.routing.models import Model
from aico.routing.no_answer import Held, Unwell
from aico.routing.pacing import NoPacer, Pacer
from aico.routing.places import Place, Places, Target, Wanted
from aico.routing.prices import PriceBook
from aico.routing.providers.chat_provider import ChatProvider, OnDelta
from aico.routing.providers.credential import Credential, Credentials, operators
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.retrying import RetryPolicy, Timing
from aico.routing.run import Caching, Dispatched, Run, nothing_kept

_LONGEST_PACING_SLEEP = 1.0  # seconds; for longer the thread is worth more to another job
_LEASE_MARGIN = 5.0  # seconds that a call may take beyond its timeout, to be stopped and booked
_NO_KEYS: Mapping[str, Sequence[Credential]] = MappingProxyType({})


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
        check: Callable[[Completion], bool] | None = None,
    ) -> Dispatched:
        """The first answer.

        `deadline` is in seconds of the monotonic clock; `should_stop` is asked several times a second, so it must be
        cheap; `starting` gets the model before each call, `record` every attempt as it ends, the failed ones too.
        `tokens` is what prompt and answer are expected to take together, `patience` how many seconds a candidate's
        rate limits may ask to wait before the next candidate is preferred; `reserved` is the place that an earlier
        `Held` announced. `credentials` says with whose key each provider is called, `caching` what it keeps of the
        prompt.
        With `check` the first candidate's answer is a draft: nothing of it goes out before it has passed, and where it
        does not, the others are asked; if none of them answers, or the budget does not allow it, it is the answer.
        Raises AllCandidatesFailed, Held, Unwell, or Cancelled once `should_stop` says so.
        """
        places = Places(self._pacer, self._breaker, self._timing.uniform)
        effects = (self._prices, self._timing, self._pacer, places)
        run = Run(*effects, request, deadline, record, should_stop, on_delta, tokens, patience, starting, caching)
        if check is not None and (reserved is None or _is_place_of(candidates[0], reserved)):
            run.drafter, run.passes = candidates[0], check
        in_order = sorted(candidates, key=lambda model: not _is_place_of(model, reserved))
        return self._first(run, in_order, reserved, credentials)

    def _first(
        self, run: Run, candidates: Sequence[Model], reserved: str | None, credentials: Credentials
    ) -> Dispatched:
        for model in candidates:
            try:
                targets = self._targets(model, credentials(model.provider))
            except ProviderError as error:
                run.unasked(model, error)
                continue
            try:
                completion = self._ask(run, targets, reserved if _is_place_of(model, reserved) else None)
            except BudgetExceeded:
                if run.draft is None:
                    raise
                break
            if completion is not None and (answered := run.answered(model, completion)):
                return answered
        if run.draft is not None:
            return run.kept(run.draft)
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
