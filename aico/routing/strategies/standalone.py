"""A strategy outside the service: it scores prompts and learns from outcomes in memory, with the service's own code."""

from collections.abc import Mapping, Sequence

from aico.routing.features import Features
from aico.routing.learner.design import design
from aico.routing.learner.learned import Weights
from aico.routing.learner.learner import Learner

MEMORY = 20_000  # outcomes, after which an old one counts for 1/e of a new one


class Standalone:
    def __init__(self, models: Sequence[str] = (), memory: int = MEMORY) -> None:
        """`models` go from the cheapest to the dearest. The service names none: it hands over what was learned."""
        self._learner = Learner(models, memory)

    def update(self, features: Features, model: str, reward: float) -> None:
        """`reward` in 0..1 is how good the answer of `model` was.

        Raises KeyError for a model that was not named, and ValueError for a reward that is none.
        """
        self._learner.update(features, model, reward)

    def solve(self) -> None:
        """Takes in all outcomes so far; without it that happens whenever a tenth of them are new."""
        self._learner.solve()

    def expected(self, features: Features) -> Mapping[str, float]:
        """By model the quality that is expected, about 0..1."""
        row = design(features)
        return {model: float(row @ weights) for model, weights in self._weights().items()}

    def score(self, features: Features) -> float:
        """What the dearest model is expected to gain over the cheapest, beside what it gains on the mean prompt so far.

        Scores rank prompts, also those that were scored before and after an outcome was learned: what all prompts have
        in common is the surest thing to change, and says nothing about any of them. Raises ValueError for less than two
        models.
        """
        weights = tuple(self._weights().values())
        if len(weights) < 2:  # noqa: PLR2004 - a comparison
            raise ValueError("a score compares models: name them from the cheapest to the dearest")
        return float((design(features) - self._learner.usual) @ (weights[-1] - weights[0]))

    def _weights(self) -> Mapping[str, Weights]:
        return self._learner.learned.weights
