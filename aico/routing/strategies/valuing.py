"""What each model is worth on a prompt, by what was learned: expected quality, less what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot

from aico.routing.features import Features
from aico.routing.learner.design import design
from aico.routing.learner.learned import Learned
from aico.routing.learner.solving import prior_weights
from aico.routing.models import Model
from aico.routing.strategies.protocol import Confidence, PricedModel

TARGET = 0.95  # of the best single model's quality, where neither caller nor tenant says otherwise
LEAST_LABELS = 50  # of all models together; with fewer complexity decides
_HIGH, _MEDIUM = 1.5, 0.5  # by how many standard deviations the first choice is worth more than another
_UNKNOWN_SPREAD = 0.5  # of the expected quality of a model without outcomes


@dataclass(frozen=True)
class Valued:
    priced: PricedModel
    expected: float
    value: float
    spread: float


def usable(learned: Learned | None) -> Learned | None:
    """What can decide: enough outcomes, and traffic that says what quality costs."""
    if learned is None or learned.all_labels < LEAST_LABELS or not learned.frontier:
        return None
    return learned


def valued(learned: Learned, features: Features, models: Sequence[PricedModel], target: float) -> tuple[Valued, ...]:
    """Best value first; a model without a known price counts as the dearest that has one."""
    row, price = design(features), learned.price(target) or 0.0
    dearest = max((float(one.cents) for one in models if one.cents is not None), default=0.0)
    found = []
    for priced in models:
        own = learned.weights.get(priced.model.id)
        weights = learned.shared + prior_weights(priced.model.quality) if own is None else own
        expected = float(row @ weights)
        cents = dearest if priced.cents is None else float(priced.cents)
        spread = learned.spread.get(priced.model.id, _UNKNOWN_SPREAD)
        found.append(Valued(priced, expected, expected - price * cents, spread))
    return tuple(sorted(found, key=lambda one: (-one.value, one.priced.model.id)))


def lead(first: Valued, other: Valued) -> float:
    """By how many standard deviations `first` is worth more."""
    return (first.value - other.value) / max(1e-9, hypot(first.spread, other.spread))


def confidence(ordered: Sequence[Valued]) -> Confidence:
    """How sure it is that the first is not worth less than the second."""
    ahead = lead(ordered[0], ordered[1]) if len(ordered) > 1 else _HIGH
    return "high" if ahead >= _HIGH else "medium" if ahead >= _MEDIUM else "low"


def in_words(ordered: Sequence[Valued], learned: Learned, target: float) -> tuple[str, ...]:
    first = ordered[0]
    return (
        f"{learned.all_labels:.0f} outcomes expect quality {shown(first.expected):.2f} of {first.priced.model.id}",
        *(f"{shown(one.expected):.2f} of {one.priced.model.id}" for one in ordered[1:3]),
        f"aims at {target:.0%} of the best model's quality",
    )


def expectations(ordered: Sequence[Valued]) -> Mapping[str, float]:
    return {one.priced.model.id: shown(one.expected) for one in ordered}


def models_of(ordered: Sequence[Valued]) -> tuple[Model, ...]:
    return tuple(one.priced.model for one in ordered)


def shown(expected: float) -> float:
    """A linear model may expect a little less than nothing, or more than all."""
    return min(1.0, max(0.0, expected))
