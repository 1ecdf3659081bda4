"""A learner in memory: what the service keeps in Postgres and solves in a worker, for one tenant in one process."""

from collections.abc import Sequence
from math import exp

from aico.routing.features import Features
from aico.routing.learner.design import design
from aico.routing.learner.learned import Learned
from aico.routing.learner.solving import priors, solve, usual
from aico.routing.learner.statistics import Statistics

_LEAST_RANK, _HIGHEST_RANK = 0.3, 0.9  # of the cheapest and of the dearest model
_FIRST, _GROWTH = 20, 0.1  # solved again after so many outcomes, then after a tenth of all so far


class Learner:
    """Not for several threads. `models` go from the cheapest to the dearest, which at first is taken to be the best."""

    def __init__(self, models: Sequence[str], memory: int) -> None:
        """After `memory` further outcomes one counts for 1/e of a new one."""
        self.models = tuple(models)
        steps = max(1, len(self.models) - 1)
        self.ranks = {
            model: _LEAST_RANK + (_HIGHEST_RANK - _LEAST_RANK) * place / steps
            for place, model in enumerate(self.models)
        }
        self._statistics = {model: Statistics.empty() for model in self.models}
        # As of the last solution: what would be expected of each model without outcomes, and the mean prompt.
        self.priors, self.usual = priors({}, self.ranks), usual({})
        self._memory = memory
        self._updates = self._solved_at = 0
        self._learned: Learned | None = None

    def update(self, features: Features, model: str, reward: float) -> None:
        """`reward` in 0..1 is how good the answer of `model` was. Raises KeyError for a model that is not known."""
        self._statistics[model].add(design(features), reward)
        self._updates += 1

    @property
    def learned(self) -> Learned:
        """Solved where enough is new: so many times only as n outcomes have digits."""
        new = self._updates - self._solved_at
        if self._learned is None or new >= max(_FIRST, _GROWTH * self._solved_at):
            return self.solve()
        return self._learned

    def solve(self) -> Learned:
        """Takes in all outcomes so far."""
        version = 0 if self._learned is None else self._learned.version + 1
        solved = solve(self._statistics, (), self.ranks, version)
        self.priors, self.usual = priors(self._statistics, self.ranks), usual(self._statistics)
        kept = exp((self._solved_at - self._updates) / self._memory)
        for sums in self._statistics.values():
            sums.forget(kept)
        self._solved_at, self._learned = self._updates, solved
        return solved
