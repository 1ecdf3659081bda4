"""Which model a request is for, and the ending that its answer makes: the same however the model was asked."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, Protocol
from uuid import UUID

from aico.core.assignment import Assigned
from aico.core.attempts import Attempt, Baseline, Policy, assignment_unit, known_cost
from aico.core.chat import AUTO_MODELS, ChatRequest, Completion, FinishReason
from aico.core.jobs import Answer, CacheMode, CacheState, JobStatus, RoutingReport, Verified
from aico.core.money import round_cents
from aico.core.settings import Settings
from aico.routing.calibration import Lines, no_lines
from aico.routing.catalogue import Catalogue
from aico.routing.features import Features, extract_features
from aico.routing.learner.design import DESIGN
from aico.routing.learner.kept import kept
from aico.routing.learner.learned import Learned
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.strategies.protocol import (
    Ask,
    Decision,
    PricedModel,
    RoutingPolicy,
    Strategy,
    among,
    fits,
    price_models,
)
from aico.store.claims import Ending
from aico.store.decisions import Decided, DraftSeen, Grounds
from aico.store.job_policy import JobPolicy
from aico.workers.keeping import Keeping

_TRUNCATED = {FinishReason.LENGTH, FinishReason.CONTENT_FILTER}
_NOTHING = Decimal(0)
_IN_LANE = "batch lane, at the batch price"

Solutions = Callable[[UUID, int], Learned | None]  # of a tenant and a version


def nothing_learned(_tenant: UUID, _version: int) -> None:
    """Where nobody has learned anything."""


@dataclass(frozen=True, slots=True)
class Known:
    """What has been found out, by whoever did: asked for when it is needed, as it changes."""

    lines: Callable[[], Lines] = no_lines  # how models count tokens
    solutions: Solutions = nothing_learned  # of models
    verifiers: Solutions = nothing_learned  # of drafts


NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class Choice:
    features: Features
    decision: Decision
    asked: RoutingPolicy
    cents: Mapping[str, Decimal | None]  # by model: what a call is expected to cost
    at: datetime
    learned: Learned | None = None  # that was known
    draft: DraftSeen | None = None  # once one has been checked

    @property
    def tokens(self) -> int:
        return self.features.input_tokens + self.features.all_output_tokens

    def decided(self) -> Decided:
        """For the log."""
        decision = self.decision
        able = [model.id for model in decision.candidates]
        return Decided(
            at=self.at,
            task=self.features.task.value,
            strategy=decision.strategy,
            policy_version=decision.policy_version,
            learned_version=None if self.learned is None else self.learned.version,
            asked=self.asked.model,
            first_choice=able[0],
            score=decision.score,
            confidence=decision.confidence,
            propensity=decision.propensity,
            chances=decision.chances,
            expected=decision.expected,
            cents={model: self.cents[model] for model in able},
            design=DESIGN,
            features=kept(self.features),
            draft=self.draft,
        )


class Answerable(Protocol):
    """The job that is answered, at the fence under which it was taken on."""

    @property
    def id(self) -> UUID: ...

    @property
    def fence(self) -> int: ...

    @property
    def request(self) -> ChatRequest: ...

    @property
    def cache_mode(self) -> CacheMode: ...

    @property
    def api_key_id(self) -> UUID | None: ...

    @property
    def policy(self) -> JobPolicy: ...

    @property
    def attempts(self) -> int: ...

    @property
    def spent_cents(self) -> Decimal: ...


class Answers:
    def __init__(
        self, settings: Settings, strategy: Strategy, catalogue: Catalogue, known: Known = NOTHING_KNOWN
    ) -> None:
        self.known = known
        self.prices = PriceBook(catalogue)
        self._strategy = strategy
        self._catalogue = catalogue
        self._baseline_model = settings.baseline_model
        self._keeping = Keeping(settings)

    def choose(
        self,
        request: ChatRequest,
        policy: JobPolicy,
        spent_cents: Decimal = _NOTHING,
        own: Collection[str] = (),
        grounds: Grounds | None = None,
    ) -> Choice:
        """`own` names the providers for which the tenant has a key of its own; `grounds` are of the job, if it is one.

        Raises NoProvider, ModelNotAllowed, InvalidInput where no model can serve the request, or BudgetExceeded.
        """
        at = datetime.now(UTC)
        features = extract_features(request)
        models = among(self._catalogue.with_keys(own).models, policy.models, request.model)
        priced = price_models(models, features, self.prices, at, self.known.lines())
        asked = as_treated(routing_policy(request, policy, spent_cents), policy.assigned, features, priced)
        ask = Ask(features, priced, asked) if grounds is None else self._informed(Ask(features, priced, asked), grounds)
        cents = {one.model.id: one.cents for one in priced}
        return Choice(ask.features, self._strategy.decide(ask), asked, cents, at, ask.learned)

    def _informed(self, ask: Ask, grounds: Grounds) -> Ask:
        version = grounds.learned_version
        return replace(
            ask,
            features=replace(ask.features, vector=grounds.vector),
            learned=None if version is None else self.known.solutions(grounds.tenant, version),
            verifier=None if version is None else self.known.verifiers(grounds.tenant, version),
            chance=grounds.chance,
        )

    def ending(
        self,
        job: Answerable,
        choice: Choice,
        model: Model,
        completion: Completion,
        attempts: Sequence[Attempt],
        lane: Literal["batch"] | None = None,
        verified: Verified | None = None,
    ) -> Ending:
        """`attempts` are all that were made now; the last one answered."""
        baseline, decision = self._baseline(job, completion), choice.decision
        cents, telling = total_cost(job.spent_cents, attempts), choice.features.telling_tokens
        return Ending(
            job.id,
            job.fence,
            JobStatus.INCOMPLETE if completion.finish_reason in _TRUNCATED else JobStatus.COMPLETED,
            api_key_id=job.api_key_id,
            answer=_answer(completion),
            routing=RoutingReport(
                provider=model.provider,
                model=model.id,
                strategy=decision.strategy,
                cache=CacheState.BYPASS if job.cache_mode is CacheMode.OFF else CacheState.MISS,
                confidence=decision.confidence,
                score=round(decision.score, 4),
                reasons=decision.reasons if lane is None else (*decision.reasons, _IN_LANE),
                cost_cents=_shown(cents),
                baseline_model=baseline.model,
                baseline_cost_cents=_shown(baseline.cost_cents),
                attempts=job.attempts + len(attempts),
                lane=lane,
                arms=job.policy.assigned.arms,
                verified=verified,
            ),
            keep=verified != "kept" and self._keeping.keeps(job, model.id, completion),
            lifetime_seconds=self._keeping.lifetime_seconds(job.request, choice.at),
            attempts=tuple(attempt.model_copy(update={"text_tokens": telling}) for attempt in attempts),
            baseline=baseline,
            arms=job.policy.assigned.arms,
            spent_cents=job.spent_cents,
            policy=_policy(decision, job.policy.assigned.arms),
            decided=replace(choice.decided(), model=model.id, cost_cents=cents),
        )

    def _baseline(self, job: Answerable, completion: Completion) -> Baseline:
        model = job.policy.baseline_model or self._baseline_model
        return Baseline(
            model=model, cost_cents=self.prices.baseline_cost_cents(model, completion.usage, datetime.now(UTC))
        )


def routing_policy(request: ChatRequest, policy: JobPolicy, spent_cents: Decimal) -> RoutingPolicy:
    """What routing is asked to keep to, with what is left of the job's budget."""
    return RoutingPolicy(
        model=request.model,
        allow_fallback=policy.fallback,
        quality_floor=policy.quality_floor or 0.0,
        max_cents=None if policy.max_cost_cents is None else policy.max_cost_cents - spent_cents,
        strategy=policy.strategy,
        quality_target=policy.quality_target,
    )


def as_treated(
    asked: RoutingPolicy, assigned: Assigned, features: Features, models: Sequence[PricedModel]
) -> RoutingPolicy:
    """With the treatment of its arms, as far as a model can then answer: no comparison makes a request hopeless."""
    treatment = assigned.treatment
    usable = [one for one in models if features.needs <= one.model.capabilities and fits(features, one.model)]
    if asked.model not in AUTO_MODELS:  # no other may answer in its place
        usable = [one for one in usable if one.model.id == asked.model]
    raised = replace(asked, quality_floor=max(asked.quality_floor, treatment.quality_floor or 0.0))
    allowed = raised if any(map(raised.allows, usable)) else asked
    treated = replace(allowed, strategy=treatment.strategy or asked.strategy)
    if treated.model not in AUTO_MODELS or not any(
        one.model.id == treatment.model and treated.allows(one) for one in usable
    ):
        return treated
    return replace(
        treated, model=treatment.model or treated.model, allow_fallback=treated.allow_fallback or not assigned.direct
    )


def _policy(decision: Decision, arms: Sequence[str]) -> Policy:
    return Policy(
        strategy=decision.strategy,
        version=decision.policy_version,
        propensity=decision.propensity,
        assignment_unit=assignment_unit(arms),
    )


def total_cost(spent_cents: Decimal, attempts: Sequence[Attempt]) -> Decimal | None:
    """US cents of all attempts, earlier ones included; None when the answering attempt has no known price."""
    return None if attempts[-1].cost_cents is None else spent_cents + known_cost(attempts)


def _answer(completion: Completion) -> Answer:
    return Answer(
        **completion.model_dump(include=set(Answer.model_fields)),
        input_tokens=completion.usage.input_total,
        output_tokens=completion.usage.output,
        cached_tokens=completion.usage.cache_read,
        reasoning_tokens=completion.usage.reasoning,
    )


def _shown(cents: Decimal | None) -> str | None:
    return None if cents is None else str(round_cents(cents))
