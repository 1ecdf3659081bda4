"""Second hop: claim a job, choose models, call them until one answers, end the job."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from uuid import UUID

import structlog

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.chat import Completion, FinishReason
from aico.core.errors import AicoError
from aico.core.ids import new_id
from aico.core.jobs import Answer, CacheMode, CacheState, JobError, JobStatus, RoutingReport
from aico.core.money import round_cents
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import AllCandidatesFailed, Cancelled, Dispatched, Dispatcher, RetryPolicy
from aico.routing.features import extract_features
from aico.routing.prices import PriceBook
from aico.routing.providers.provider import open_providers
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.protocol import Decision, RoutingPolicy, Strategy, price_models
from aico.routing.tokens import count_text
from aico.store import jobs
from aico.store.jobs import Claim, Ending
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.finish import finish
from aico.workers.leases import Leases
from aico.workers.queue import TaskName
from aico.workers.runtime import get_runtime, patiently

log = structlog.get_logger()

_TRUNCATED = {FinishReason.LENGTH, FinishReason.CONTENT_FILTER}
OUTAGE_PAUSES = (1.0, 2.0, 4.0, 8.0, None)  # seconds before all candidates are asked again; None: give up
_LOST = "unknown"  # which model a dead worker had called


class Router:
    """Everything that stays the same from job to job: the catalogue, prices, connections and the strategy."""

    def __init__(self, settings: Settings, strategy: Strategy) -> None:
        self._settings = settings
        self._strategy = strategy
        self._catalogue = Catalogue.from_settings(settings)
        self._models = self._catalogue.models
        self._prices = PriceBook(self._catalogue)
        self._providers = open_providers(settings, max_connections=settings.route_concurrency)
        self._dispatcher = Dispatcher(self._providers, self._prices, RetryPolicy.from_settings(settings))

    def close(self) -> None:
        for provider in self._providers.values():
            provider.close()

    def answer(self, claim: Claim, leases: Leases) -> Ending:
        """How the job ends. Where it is no longer ours to end, `finish` books what was spent and changes nothing."""
        attempts: list[Attempt] = [_lost_attempt()] if claim.taken_over else []
        try:
            decision = self._decide(claim)
            dispatched = self._dispatch(claim, decision, attempts, leases)
        except Cancelled:
            return self._failed(claim, attempts, "cancelled", "the job ended while it was being answered")
        except AicoError as error:  # no candidate answered, or none may be asked
            return self._failed(claim, attempts, error.code, error.detail)
        return self._answered(claim, decision, dispatched, attempts)

    def _dispatch(self, claim: Claim, decision: Decision, attempts: list[Attempt], leases: Leases) -> Dispatched:
        """Go through the candidates again, after growing pauses, while it may be an outage that ends."""
        deadline = time.monotonic() + min(claim.seconds_left, self._settings.job_timeout_seconds)
        for pause in OUTAGE_PAUSES:
            try:
                return self._dispatcher.dispatch(
                    claim.request,
                    decision.candidates,
                    deadline=deadline,
                    record=attempts.append,
                    should_stop=lambda: leases.lost(claim),
                )
            except AllCandidatesFailed as error:
                outage = bool(error.attempts) and error.attempts[-1].outcome is AttemptOutcome.RETRYABLE
                if not outage or pause is None or time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _decide(self, claim: Claim) -> Decision:
        features = extract_features(claim.request)
        priced = price_models(self._models, features, self._prices, datetime.now(UTC))
        return self._strategy.decide(features, priced, RoutingPolicy(model=claim.request.model))

    def _answered(
        self, claim: Claim, decision: Decision, dispatched: Dispatched, attempts: Sequence[Attempt]
    ) -> Ending:
        completion, model = dispatched.completion, dispatched.model
        baseline_model = claim.baseline_model or self._settings.baseline_model
        baseline = Baseline(
            model=baseline_model,
            cost_cents=self._prices.baseline_cost_cents(baseline_model, completion.usage, datetime.now(UTC)),
        )
        return Ending(
            claim.id,
            claim.fence,
            JobStatus.INCOMPLETE if completion.finish_reason in _TRUNCATED else JobStatus.COMPLETED,
            api_key_id=claim.api_key_id,
            answer=Answer(
                text=completion.text,
                finish_reason=completion.finish_reason,
                input_tokens=completion.usage.input_total,
                output_tokens=completion.usage.output,
            ),
            routing=RoutingReport(
                provider=model.provider,
                model=model.id,
                strategy=decision.strategy,
                cache=CacheState.BYPASS if claim.cache_mode is CacheMode.OFF else CacheState.MISS,
                confidence=decision.confidence,
                score=round(decision.score, 4),
                reasons=decision.reasons,
                cost_cents=_shown(total_cost(attempts)),
                baseline_model=baseline.model,
                baseline_cost_cents=_shown(baseline.cost_cents),
                attempts=len(attempts),
            ),
            keep=keeps(claim.cache_mode, completion),
            attempts=tuple(attempts),
            baseline=baseline,
            policy=Policy(strategy=decision.strategy, version=decision.policy_version, propensity=decision.propensity),
        )

    def _failed(self, claim: Claim, attempts: Sequence[Attempt], code: str, message: str) -> Ending:
        return Ending(
            claim.id,
            claim.fence,
            JobStatus.FAILED,
            api_key_id=claim.api_key_id,
            error=JobError(code=code, message=message),
            attempts=tuple(attempts),
        )


def keeps(mode: CacheMode, completion: Completion) -> bool:
    """Only whole answers in words are served again: nothing truncated, refused, empty, or calling a tool."""
    return mode is not CacheMode.OFF and completion.finish_reason is FinishReason.STOP and bool(completion.text.strip())


def total_cost(attempts: Sequence[Attempt]) -> Decimal | None:
    """US cents of all attempts; None when the answering attempt has no known price."""
    if attempts[-1].cost_cents is None:
        return None
    return sum((attempt.cost_cents for attempt in attempts if attempt.cost_cents is not None), Decimal(0))


def _shown(cents: Decimal | None) -> str | None:
    return None if cents is None else str(round_cents(cents))


def _lost_attempt() -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.LOST,
        provider=_LOST,
        model=_LOST,
        latency_ms=0,
        error="the worker that held the job died",
    )


@cache
def router() -> Router:
    return Router(get_runtime().settings, ComplexityStrategy())


@cache
def leases() -> Leases:
    held = Leases(get_runtime())
    held.start()
    return held


@app.task(name=TaskName.ROUTE.value)
def route(tenant_id: str, job_id: str) -> None:
    """Does nothing when the job has ended or somebody else holds it: a bell may ring twice."""
    runtime = get_runtime()
    tenant = UUID(tenant_id)
    claim_job = jobs.claim(tenant, UUID(job_id), runtime.settings.lease_seconds)
    claimed = patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), claim_job))
    for claim in claimed:
        with leases().holding(claim):
            ending = router().answer(claim, leases())
            finish(runtime, tenant, [ending])
        log.info("job_ended", tenant=tenant_id, job=job_id, status=ending.status.value, attempts=len(ending.attempts))


def warm_up() -> None:
    """Read the catalogue and the vocabulary, and start renewing leases, before the first message."""
    router()
    leases()
    count_text("ready")
