"""What every routing strategy is given and what it answers. A strategy is a pure function of its arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, Protocol

from aico.core.chat import AUTO_MODEL, AUTO_MODELS
from aico.core.errors import BudgetExceeded, InvalidInput, ModelNotAllowed, NoProvider
from aico.core.strategies import StrategyName
from aico.core.usage import Usage
from aico.routing.calibration import NO_LINES, Lines
from aico.routing.features import Features
from aico.routing.learner.learned import Learned
from aico.routing.models import Capability, Model
from aico.routing.prices import PriceBook
from aico.routing.providers.profiles import PROFILES
from aico.routing.verifier.drafts import Check

Confidence = Literal["high", "medium", "low"]


# What a model that meets a need does, and the field that asks for it.
_NEEDS: Mapping[Capability, tuple[str, str]] = MappingProxyType(
    {
        Capability.TOOLS: ("can call tools", "tools"),
        Capability.VISION: ("can see images", "messages"),
        Capability.JSON: ("supports JSON answers", "response_format"),
        Capability.SCHEMA: ("supports answers that follow a JSON schema", "response_format"),
        Capability.CHOICES: ("gives several choices", "n"),
        Capability.LOGPROBS: ("tells log probabilities", "logprobs"),
    }
)


@dataclass(frozen=True)
class PricedModel:
    model: Model
    cents: Decimal | None  # estimated for this prompt; None where no price is known


@dataclass(frozen=True)
class RoutingPolicy:
    """What the caller and the tenant allow."""

    model: str = AUTO_MODEL  # a catalogue id, or one of AUTO_MODELS
    allow_fallback: bool = True  # whether another model may answer where a named one fails
    quality_floor: float = 0.0  # no model of a lower rank answers
    max_cents: Decimal | None = None  # what a call may be expected to cost; None: anything
    strategy: StrategyName | None = None  # by which the model is chosen; None: the service's default
    quality_target: float | None = None  # 0..1, of the best single model's quality; None: the service's default

    def allows(self, priced: PricedModel) -> bool:
        """With a limit on the cost, a model of which no price is known is not called."""
        affordable = self.max_cents is None or (priced.cents is not None and priced.cents <= self.max_cents)
        return priced.model.quality >= self.quality_floor and affordable


@dataclass(frozen=True)
class Ask:
    """All that a decision depends on: equal asks are decided alike."""

    features: Features
    models: Sequence[PricedModel]  # that can be called, with what each is expected to cost
    policy: RoutingPolicy = field(default_factory=RoutingPolicy)
    learned: Learned | None = None  # from the tenant's outcomes; None: nothing yet
    verifier: Learned | None = None  # of drafts, from the tenant's outcomes; None: nothing yet
    chance: float = 0.5  # uniform in 0..1, of the job: what is tried by chance is decided by it


@dataclass(frozen=True)
class Decision:
    candidates: tuple[Model, ...]  # in the order in which they are asked; never empty
    strategy: str
    score: float  # 0..1, how demanding the request looks
    confidence: Confidence
    reasons: tuple[str, ...]
    policy_version: str
    # By model: the probability, given all but `chance`, that it came first. What is not named could not have.
    chances: Mapping[str, float] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)  # by model: the quality in 0..1 that is expected
    check: Check | None = None  # of the first candidate's answer; where it does not pass, the next one is asked

    @property
    def propensity(self) -> float:
        """Probability of this first choice; 1 where nothing was left to chance."""
        return self.chances.get(self.candidates[0].id, 1.0)

    def noting(self, notes: Sequence[str]) -> "Decision":
        """With more reasons."""
        return replace(self, reasons=(*self.reasons, *notes))


class Strategy(Protocol):
    def decide(self, ask: Ask) -> Decision:
        """An order of candidates. Pure.

        Raises NoProvider for no models at all, InvalidInput where none of them can serve the request, and
        BudgetExceeded where none may for what it costs.
        """


def among(models: Sequence[Model], allowed: frozenset[str] | None, asked: str) -> tuple[Model, ...]:
    """Of the models those that an API key may use; `allowed` None: all. Raises ModelNotAllowed where `asked` is none.

    Whatever is then decided, first choice or fallback, is one of them.
    """
    if allowed is None:
        return tuple(models)
    listed = ", ".join(sorted(allowed))
    if asked not in AUTO_MODELS and asked not in allowed:
        raise ModelNotAllowed(f"this API key may not use the model {asked!r}, only {listed}", param="model")
    left = tuple(model for model in models if model.id in allowed)
    if models and not left:
        raise ModelNotAllowed(f"none of the models that this API key may use can be called: {listed}", param="model")
    return left


def price_models(
    models: Sequence[Model], features: Features, prices: PriceBook, at: datetime, lines: Lines = NO_LINES
) -> tuple[PricedModel, ...]:
    """Each model with the estimated US cents of this prompt and its expected answer, counted as the model counts."""

    def usage(model: Model) -> Usage:
        line = lines.get((model.provider, model.id))
        return Usage(input_uncached=features.input_tokens_by(line), output=features.all_output_tokens)

    return tuple(PricedModel(model, _cents(prices, model, usage(model), at)) for model in models)


def permitted(models: Sequence[PricedModel], policy: RoutingPolicy) -> tuple[PricedModel, ...]:
    """Of those that can serve the request the ones that may; raises as Strategy.decide does."""
    good = [priced for priced in models if priced.model.quality >= policy.quality_floor]
    if not good:
        best = max(priced.model.quality for priced in models)
        raise InvalidInput(
            f"no model that can serve the request reaches quality {policy.quality_floor:g}; the best has {best:g}",
            param="quality_floor",
        )
    allowed = tuple(priced for priced in good if policy.allows(priced))
    if not allowed:
        known = [priced.cents for priced in good if priced.cents is not None]
        least = f"the cheapest is expected to cost {min(known):f} cents" if known else "no price is known"
        raise BudgetExceeded(
            f"no model answers for at most {policy.max_cents:f} cents: {least}", param="max_cost_cents"
        )
    return allowed


def able(features: Features, models: Sequence[PricedModel]) -> tuple[PricedModel, ...]:
    """The models that can serve the request at all; raises as Strategy.decide does."""
    if not models:
        switches = ", ".join(profile.switched_on_by for profile in PROFILES)
        raise NoProvider(f"no provider is configured: set one of {switches}")
    equipped = [priced for priced in models if features.needs <= priced.model.capabilities]
    if not equipped:
        raise _lacking(features, models)
    roomy = tuple(priced for priced in equipped if fits(features, priced.model))
    if not roomy:
        largest = max(priced.model.context_window for priced in equipped)
        raise InvalidInput(
            f"about {features.input_tokens} tokens and the answer do not fit: the largest context window that may be "
            f"used holds {largest}",
            param="messages",
        )
    return roomy


def _lacking(features: Features, models: Sequence[PricedModel]) -> InvalidInput:
    """Names the first need that no model meets, or all of them where it is their combination that none meets."""
    needed = [capability for capability in _NEEDS if capability in features.needs]
    unmet = [capability for capability in needed if not any(priced.model.can(capability) for priced in models)]
    named = unmet[:1] or needed
    wanted = " and ".join(_NEEDS[capability][0] for capability in named)
    return InvalidInput(f"no model that may answer {wanted}", param=_NEEDS[named[-1]][1])


def fits(features: Features, model: Model) -> bool:
    """Whether the prompt and the answer have room together; an answer is never longer than the model can write."""
    return features.input_tokens + min(features.output_tokens, model.max_output) <= model.context_window


def _cents(prices: PriceBook, model: Model, usage: Usage, at: datetime) -> Decimal | None:
    price = prices.cost_cents(model.provider, model.id, usage, at)
    return price.cents if price is not None else None
