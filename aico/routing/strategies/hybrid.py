"""Learning, held against complexity: the two decide together while outcomes are few, and where they differ widely."""

from collections.abc import Mapping, Sequence

import numpy as np

from aico.routing.learner.learned import Weights
from aico.routing.strategies.learning import Settled, by_value
from aico.routing.strategies.protocol import Ask, Decision
from aico.routing.strategies.standalone import Standalone
from aico.routing.strategies.valuing import Valued, lead

STRATEGY = "hybrid"
VERSION = "hybrid-1"

_HALF_TRUSTED = 100  # outcomes of which the score is half learned and half what complexity suggests
_WIDELY = 0.3  # of the ranks of two models: as far apart as the choices must not be without confidence
_SURE = 0.5  # standard deviations


class HybridStrategy(Standalone):
    def decide(self, ask: Ask) -> Decision:
        """See Strategy.decide. With nothing learned it decides as complexity does."""
        return by_value(ask, STRATEGY, VERSION, _settled)

    def _weights(self) -> Mapping[str, Weights]:
        """Of what was learned and of what complexity suggests, of the former the more the more outcomes there are."""
        learned = self._learner.learned
        trust = learned.all_labels / (learned.all_labels + _HALF_TRUSTED)
        return {
            model: (trust * learned.weights[model] + (1 - trust) * prior).astype(np.float32)
            for model, prior in self._learner.priors.items()
        }


def _settled(ordered: Sequence[Valued], by_score: str) -> Settled:
    """Learning's choice, unless complexity's is of quite another rank and what was learned is not sure of it."""
    first, other = ordered[0], next(one for one in ordered if one.priced.model.id == by_score)
    if first is other:
        return Settled(ordered, ("complexity chooses the same",))
    apart = abs(first.priced.model.quality - other.priced.model.quality)
    if apart < _WIDELY or lead(first, other) >= _SURE:
        return Settled(ordered, (f"complexity would choose {by_score}",))
    rest = tuple(one for one in ordered if one is not other)
    reason = f"outcomes are not sure enough of {first.priced.model.id}: complexity's choice {by_score} stands"
    return Settled((other, *rest), (reason,), overruled=True)
