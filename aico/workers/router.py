"""What becomes of one claimed job: an answer, a failure, or another try later."""

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Call, KeySource, known_cost
from aico.core.errors import AicoError, BudgetExceeded
from aico.core.ids import new_id
from aico.core.jobs import JobClass, JobError, JobStatus
from aico.core.key_encryption import key_encryption
from aico.core.money import round_cents
from aico.core.settings import Settings
from aico.routing.breaker import Breaker
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import Dispatcher
from aico.routing.lanes import Estimate, Lane, LanePolicy, Terms, choose_lane
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Held, Unwell
from aico.routing.pacing import Pacer
from aico.routing.prompt_cache import PromptCache, Sightings
from aico.routing.providers.batches.lane import tenant_lane_profiles
from aico.routing.providers.chat_provider import OnDelta
from aico.routing.providers.credential import operator_keys
from aico.routing.providers.provider import open_providers
from aico.routing.retrying import RetryPolicy
from aico.routing.run import Caching, Dispatched, nothing_kept
from aico.routing.strategies.protocol import Strategy
from aico.store.claims import Claim, Ending, PutBack
from aico.store.lanes import Parked
from aico.tracing import spans
from aico.workers import traced
from aico.workers.answers import NOTHING_KNOWN, Answers, Choice, Known
from aico.workers.checking import Checking
from aico.workers.keyring import Keyring
from aico.workers.leases import Leases
from aico.workers.observing import observed
from aico.workers.retries import next_pause
from aico.workers.sightings import NoSightings

_REFUSED = "request_refused"
_UNKNOWN = "unknown"  # what a dead worker had called, where nobody can tell
# Seconds that a job waits for its model's rate limit before the next model is asked.
_PATIENCE = {JobClass.INTERACTIVE: 2.0, JobClass.STANDARD: 30.0, JobClass.BATCH: 600.0}


@dataclass(frozen=True)
class Shared:
    """What all workers know of providers; left out, each process knows its own."""

    pacer: Pacer | None = None
    breaker: Breaker | None = None
    sightings: Sightings = field(default_factory=NoSightings)


class Router:
    """Everything that stays the same from job to job: the catalogue, prices, connections and the strategy."""

    def __init__(
        self,
        settings: Settings,
        strategy: Strategy,
        shared: Shared | None = None,
        lanes: Collection[str] = (),
        known: Known = NOTHING_KNOWN,
    ) -> None:
        """`lanes` names the providers into whose batches work may go that can wait."""
        shared, self._settings = shared or Shared(), settings
        self._answers = Answers(settings, strategy, Catalogue.from_settings(settings), known)
        self._lanes = LanePolicy.from_settings(settings, lanes)
        self._tenant_lanes = _tenant_lanes(settings)
        self._keyring = Keyring(key_encryption(settings))
        self._providers = open_providers(settings, max_connections=settings.route_concurrency, for_tenants=True)
        policy = RetryPolicy.from_settings(settings)
        self._dispatcher = Dispatcher(
            self._providers,
            self._answers.prices,
            policy,
            pacer=shared.pacer,
            breaker=shared.breaker,
            keys=operator_keys(settings),
        )
        self._kept = PromptCache(self._answers.prices, shared.sightings)

    def close(self) -> None:
        for provider in self._providers.values():
            provider.close()

    def answer(self, claim: Claim, leases: Leases, on_delta: OnDelta | None = None) -> Ending | PutBack | Parked:
        """What is to be stored. Where the job is no longer ours, that books what was spent and changes nothing.

        With `on_delta` the answer is received as a stream, whose text goes there piece by piece.
        """
        attempts: list[Attempt] = []
        try:
            choice = self._choose(claim)
            checking = Checking.of(claim.request, choice)
            lane = self._lane(claim, choice)
            if lane is not None:
                return Parked(claim, lane.model.id, lane.hedge_seconds, choice.decided())
            dispatched = self._dispatch(claim, choice, attempts, leases, on_delta, checking)
        except Cancelled:
            return _interrupted(claim, attempts, lost=leases.lost(claim))
        except (Held, Unwell) as waits:
            return _later(claim, attempts, waits)
        except AllCandidatesFailed as error:
            return self._again(claim, attempts, error)
        except AicoError as error:  # none may be asked
            return _failed(claim, attempts, error.code, error.detail)
        told = choice if checking is None else checking.told(choice, dispatched)
        told = replace(told, decision=told.decision.noting(dispatched.notes))
        ending = self._answers.ending(
            claim, told, dispatched.model, dispatched.completion, dispatched.attempts, verified=dispatched.verified
        )
        return observed(claim, told, ending, self._settings, None if checking is None else checking.rival(dispatched))

    def lost_attempt(self, claim: Claim) -> Attempt:
        """The call of the worker that held the job and died, priced by what it was expected to cost.

        Where that worker could not say any more what it called, it is what we would call.
        """
        call = claim.interrupted or self.expected_call(claim)
        return Attempt(
            id=(call and call.id) or new_id(),
            at=call.at if call else datetime.now(UTC),
            kind=call.kind if call else AttemptKind.CALL,
            outcome=AttemptOutcome.LOST,
            provider=call.provider if call else _UNKNOWN,
            model=call.model if call else _UNKNOWN,
            latency_ms=0,
            cost_cents=call.cents if call else None,
            price_version="estimate" if call and call.cents is not None else None,
            error="the worker that held the job died",
            key_source=call.key_source if call else KeySource.OPERATOR,
        )

    def expected_call(self, claim: Claim) -> Call | None:
        """The first that would be made now. None: there is nobody to call."""
        try:
            choice = self._choose(claim)
        except AicoError:  # nothing here can answer it any more, as `answer` will say
            return None
        return _call(claim, choice.decision.candidates[0], choice)

    def _choose(self, claim: Claim) -> Choice:
        with spans.span("decide") as span:
            choice = self._answers.choose(claim.request, claim.policy, claim.spent_cents, claim.keys, claim.grounds)
            if span is not None:
                span.attributes |= traced.decision(choice)
        return choice

    def _lane(self, claim: Claim, choice: Choice) -> Lane | None:
        """Where the job may wait for a discount. It waits once: what came back from a lane is called directly."""
        if not claim.lane_untried or claim.policy.assigned.direct:
            return None
        return choose_lane(
            choice.decision,
            choice.asked,
            Estimate(self._answers.prices, choice.features, choice.at, self._answers.known.lines()),
            Terms(claim.job_class, claim.seconds_left, claim.deadline_given),
            self._lanes.beside(self._tenant_lanes & claim.keys.keys()),
        ).lane

    def _dispatch(
        self,
        claim: Claim,
        choice: Choice,
        attempts: list[Attempt],
        leases: Leases,
        on_delta: OnDelta | None,
        checking: Checking | None,
    ) -> Dispatched:
        def record(attempt: Attempt) -> None:
            attempts.append(attempt)
            if attempt.outcome is not AttemptOutcome.OK:
                leases.note_failure(claim, attempt)

        def starting(model: Model) -> None:
            call = _call(claim, model, choice)
            _check_budget(claim, attempts, call)
            leases.note_call(claim, _with_draft(call, attempts))

        return self._dispatcher.dispatch(
            claim.request,
            choice.decision.candidates,
            deadline=time.monotonic() + min(claim.seconds_left, self._settings.job_timeout_seconds),
            record=record,
            starting=starting,
            should_stop=lambda: leases.letting_go or leases.lost(claim),
            on_delta=on_delta,
            tokens=choice.tokens,
            patience=_PATIENCE[claim.job_class],
            reserved=claim.reserved_model,
            credentials=self._keyring.credentials(claim.keys),
            caching=self._caching(claim, choice),
            check=checking,
        )

    def _caching(self, claim: Claim, choice: Choice) -> Caching:
        """A second try is not a second use: each model is decided about once."""
        if not self._settings.prompt_cache_hints:
            return nothing_kept
        return cache(lambda model: self._kept.hint(claim.tenant, claim.request, model, choice.at))

    def _again(self, claim: Claim, attempts: Sequence[Attempt], error: AllCandidatesFailed) -> Ending | PutBack:
        """Put back while it may be an outage that ends; the thread is free for others meanwhile."""
        pause = None
        if error.retryable:
            pause = next_pause(
                retries=claim.retries,
                max_retries=claim.max_retries,
                retry_after=error.retry_after,
                seconds_left=claim.seconds_left,
                uniform=random.random(),
            )
        if pause is None:
            return _failed(claim, attempts, _REFUSED if error.refused else error.code, error.detail)
        return PutBack(claim, "no_answer", error.detail, pause_seconds=pause, counts=True, attempts=tuple(attempts))


def _check_budget(claim: Claim, attempts: Sequence[Attempt], call: Call) -> None:
    """Raises BudgetExceeded where earlier attempts have used up what the caller wanted to spend."""
    cap, spent = claim.policy.max_cost_cents, claim.spent_cents + known_cost(attempts)
    if cap is not None and spent + (call.cents or 0) > cap:
        raise BudgetExceeded(f"{spent:f} cents were spent without an answer, and another call would exceed {cap:f}")


def _later(claim: Claim, attempts: Sequence[Attempt], waits: Held | Unwell) -> PutBack:
    if isinstance(waits, Unwell):
        return PutBack(claim, "provider_unwell", waits.detail, pause_seconds=waits.seconds, attempts=tuple(attempts))
    message = f"waits {waits.seconds:.1f} s for its place in the rate limit of {waits.model_id}"
    return PutBack(
        claim,
        "rate_limited",
        message,
        pause_seconds=waits.seconds,
        reserved_model=waits.place,
        attempts=tuple(attempts),
    )


def _with_draft(call: Call, attempts: Sequence[Attempt]) -> Call:
    """A draft that did not pass is booked at the job's end: if its worker dies before, the next call bears its cost."""
    drafts = [attempt for attempt in attempts if attempt.outcome is AttemptOutcome.OK]
    if not drafts or call.cents is None:
        return call
    return call.model_copy(update={"cents": call.cents + known_cost(drafts)})


def _interrupted(claim: Claim, attempts: Sequence[Attempt], *, lost: bool) -> Ending | PutBack:
    if lost:
        return _failed(claim, attempts, "cancelled", "the job ended while it was being answered")
    return PutBack(claim, "worker_stopped", "its worker was told to stop", attempts=tuple(attempts))


def _failed(claim: Claim, attempts: Sequence[Attempt], code: str, message: str) -> Ending:
    return Ending(
        claim.id,
        claim.fence,
        JobStatus.FAILED,
        api_key_id=claim.api_key_id,
        error=JobError(code=code, message=message),
        attempts=tuple(attempts),
        arms=claim.policy.assigned.arms,
        spent_cents=claim.spent_cents,
    )


def _tenant_lanes(settings: Settings) -> frozenset[str]:
    return frozenset(profile.name for profile in tenant_lane_profiles(settings) if settings.batch_lanes)


def _call(claim: Claim, model: Model, choice: Choice) -> Call:
    cents = choice.cents.get(model.id)
    return Call(
        provider=model.provider,
        model=model.id,
        at=datetime.now(UTC),
        cents=None if cents is None else round_cents(cents),
        key_source=KeySource.TENANT if model.provider in claim.keys else KeySource.OPERATOR,
    )
