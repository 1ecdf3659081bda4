"""The cheapest model whose quality matches how demanding a prompt looks. Needs no history of outcomes."""

from collections.abc import Sequence
from decimal import Decimal

from aico.core.chat import AUTO_CHEAP, AUTO_MODELS, AUTO_QUALITY
from aico.core.errors import InvalidInput
from aico.routing.difficulty import assess
from aico.routing.features import Features
from aico.routing.models import Model
from aico.routing.strategies.protocol import Ask, Confidence, Decision, PricedModel, RoutingPolicy, able, permitted

STRATEGY = "complexity"
POLICY_VERSION = "complexity-1"

_EASIEST_QUALITY, _HARDEST_QUALITY = 0.3, 0.9  # needed at scores 0 and 1
_HIGH_MARGIN, _MEDIUM_MARGIN = 0.15, 0.05  # of the score, within which the first choice must not change
_LEANINGS = {AUTO_CHEAP: 0.0, AUTO_QUALITY: 1.0}  # the quality that is needed, whatever the prompt looks like
_UNKNOWN_PRICE = Decimal("Infinity")  # sorts behind every known one


class ComplexityStrategy:
    def score(self, features: Features) -> float:
        """In 0..1, how demanding the request looks."""
        return assess(features)[0]

    def update(self, features: Features, model: str, reward: float) -> None:
        """Complexity learns nothing; it is told as the others are, so that all can be evaluated alike."""

    def decide(self, ask: Ask) -> Decision:
        """See Strategy.decide. A named model comes first; without fallback it is the only candidate."""
        features, models, policy = ask.features, ask.models, ask.policy
        score, parts = assess(features)
        if policy.model not in AUTO_MODELS:
            return _named(features, models, policy, score)
        usable = permitted(able(features, models), policy)
        leaning = _LEANINGS.get(policy.model)
        if leaning is not None:
            asked = (f"asked for {policy.model}",)
            return Decision(ordered(usable, leaning), STRATEGY, score, "high", asked, POLICY_VERSION)
        reasons = (
            *(part.reason for part in parts),
            f"score {score:.2f} asks for quality {needed_quality(score):.2f}",
        )
        candidates = ordered(usable, needed_quality(score))
        return Decision(candidates, STRATEGY, score, _confidence(usable, score), reasons, POLICY_VERSION)


def needed_quality(score: float) -> float:
    return _EASIEST_QUALITY + score * (_HARDEST_QUALITY - _EASIEST_QUALITY)


def ordered(models: Sequence[PricedModel], needed: float) -> tuple[Model, ...]:
    """Good enough ones by price, then the others from the best down: they answer only where all else failed."""
    enough = sorted(
        (priced for priced in models if priced.model.quality >= needed),
        key=lambda priced: (_cents(priced), -priced.model.quality, priced.model.id),
    )
    weaker = sorted(
        (priced for priced in models if priced.model.quality < needed),
        key=lambda priced: (-priced.model.quality, _cents(priced), priced.model.id),
    )
    return tuple(priced.model for priced in (*enough, *weaker))


def _named(features: Features, models: Sequence[PricedModel], policy: RoutingPolicy, score: float) -> Decision:
    named = next((priced for priced in models if priced.model.id == policy.model), None)
    if named is None:
        raise InvalidInput(f"the model {policy.model!r} cannot be called", param="model")
    permitted(able(features, (named,)), policy)  # says why, where the model that was asked for may not answer
    others = [
        priced
        for priced in (able(features, models) if policy.allow_fallback else ())
        if priced is not named and priced.model.quality >= named.model.quality and policy.allows(priced)
    ]
    candidates = (named.model, *ordered(others, named.model.quality))
    return Decision(candidates, "named", score, "high", (f"asked for {policy.model}",), POLICY_VERSION)


def _confidence(models: Sequence[PricedModel], score: float) -> Confidence:
    """How far the score could be off without changing the first choice."""
    if _first_choices(models, score, _HIGH_MARGIN) == 1:
        return "high"
    return "medium" if _first_choices(models, score, _MEDIUM_MARGIN) == 1 else "low"


def _first_choices(models: Sequence[PricedModel], score: float, margin: float) -> int:
    """Distinct first choices over score - margin .. score + margin; they change only where a quality is passed."""
    low, high = needed_quality(max(0.0, score - margin)), needed_quality(min(1.0, score + margin))
    turning_points = {priced.model.quality for priced in models if low < priced.model.quality < high}
    return len({ordered(models, needed)[0].id for needed in (low, *turning_points, high)})


def _cents(priced: PricedModel) -> Decimal:
    return _UNKNOWN_PRICE if priced.cents is None else priced.cents
