"""Learning, held against complexity: the two decide together while outcomes are few, and where they differ widely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aico.core.chat import AUTO_MODEL
from aico.routing.learner.learned import Weights
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.learning import by_complexity, explored
from aico.routing.strategies.protocol import Ask, Decision, able, permitted
from aico.routing.strategies.standalone import Standalone
from aico.routing.strategies.valuing import (
    TARGET,
    Valued,
    confidence,
    expectations,
    in_words,
    lead,
    models_of,
    usable,
    valued,
)

STRATEGY = "hybrid"
VERSION = "hybrid-1"

_HALF_TRUSTED = 100  # outcomes of which the score is half learned and half what complexity suggests
_WIDELY = 0.3  # of the ranks of two models: as far apart as the choices must not be without confidence
_SURE = 0.5  # standard deviations

_COMPLEXITY = ComplexityStrategy()


class HybridStrategy(Standalone):
    def decide(self, ask: Ask) -> Decision:
        """See Strategy.decide. With nothing learned it decides as complexity does."""
        plain = _COMPLEXITY.decide(ask)
        learned = usable(ask.learned)
        if learned is None or ask.policy.model != AUTO_MODEL:
            return by_complexity(ask, plain, STRATEGY, VERSION)
        target = TARGET if ask.policy.quality_target is None else ask.policy.quality_target
        ordered = valued(learned, ask.features, permitted(able(ask.features, ask.models), ask.policy), target)
        settled = _settled(ordered, plain.candidates[0].id)
        decided = replace(
            plain,
            candidates=models_of(settled.ordered),
            strategy=STRATEGY,
            confidence="low" if settled.overruled else confidence(settled.ordered),
            reasons=(*in_words(ordered, learned, target), settled.reason),
            policy_version=f"{VERSION}/learned-{learned.version}",
            expected=expectations(ordered),
        )
        return explored(ask, decided)

    def _weights(self) -> Mapping[str, Weights]:
        """Of what was learned and of what complexity suggests, of the former the more the more outcomes there are."""
        learned = self._learner.learned
        trust = learned.all_labels / (learned.all_labels + _HALF_TRUSTED)
        return {
            model: (trust * learned.weights[model] + (1 - trust) * prior).astype(np.float32)
            for model, prior in self._learner.priors.items()
        }


@dataclass(frozen=True)
class _Settled:
    ordered: Sequence[Valued]
    reason: str
    overruled: bool


def _settled(ordered: Sequence[Valued], by_score: str) -> _Settled:
    """Learning's choice, unless complexity's is of quite another rank and what was learned is not sure of it."""
    first, other = ordered[0], next(one for one in ordered if one.priced.model.id == by_score)
    if first is other:
        return _Settled(ordered, "complexity chooses the same", overruled=False)
    apart = abs(first.priced.model.quality - other.priced.model.quality)
    if apart < _WIDELY or lead(first, other) >= _SURE:
        return _Settled(ordered, f"complexity would choose {by_score}", overruled=False)
    rest = tuple(one for one in ordered if one is not other)
    reason = f"outcomes are not sure enough of {first.priced.model.id}: complexity's choice {by_score} stands"
    return _Settled((other, *rest), reason, overruled=True)
