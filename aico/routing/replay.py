"""What another policy would have cost and been worth on decisions that were made already.

The estimator is doubly robust (Dudik, Langford and Li, "Doubly Robust Policy Evaluation and Learning", 2011): a model
of each answer's worth, corrected by what was seen, weighted by how much likelier the other policy would have been to
choose what was chosen. It errs only where both the model and the logged probabilities are wrong. The model is what was
expected at the time of the decision, before anybody knew: no outcome judges itself.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aico.core.estimates import CONFIDENCE, Estimate, Moments, estimate

# A rarer choice is no evidence for so many others. What is cut off is counted, and biases: so this is more than what is
# tried by chance among 30 models weighs. That makes intervals wide, not wrong.
LARGEST_WEIGHT = 1000.0
_NOBODY_KNOWS = 0.5  # expected where nothing was: any number will do that does not come from what was seen


@dataclass(frozen=True, slots=True)
class Logged:
    """A decision that was made. `seen` is None where nobody has judged the answer."""

    chosen: str
    chances: Mapping[str, float]  # by model, with which it was chosen
    expected: Mapping[str, float]  # by model: its worth, as it was expected at the time
    cents: Mapping[str, float]  # by model: its cost, likewise
    seen: float | None  # worth of the answer, 0..1
    spent: float  # cents


@dataclass(slots=True)
class _Sum:
    """Terms of one estimate, as they come."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, term: float) -> None:
        self.n += 1
        self.total += term
        self.squares += term * term

    def estimate(self, confidence: float) -> Estimate | None:
        return estimate(Moments(self.n, self.total, self.squares), confidence)


@dataclass(frozen=True, slots=True)
class Replayed:
    """Means over decisions, with intervals; costs in US cents. None where there are too few."""

    decisions: int
    judged: int
    cost: Estimate | None
    cost_difference: Estimate | None  # the other policy's less what was spent
    quality: Estimate | None
    quality_difference: Estimate | None
    unsupported: (
        float  # share of the other policy's choices that were never made by chance: there the model alone speaks
    )
    effective: float  # as many decisions of the other policy would tell as much (Kish)
    clipped: int  # decisions whose weight was cut to LARGEST_WEIGHT
    unknown: int  # judged ones that are in no quality: nothing was expected of what chance never chose


@dataclass(slots=True)
class Replay:
    """Decisions are added one by one: O(1) memory."""

    confidence: float = CONFIDENCE
    _sums: Mapping[str, _Sum] = field(
        default_factory=lambda: {name: _Sum() for name in ("cost", "saved", "quality", "better")}
    )
    _weights: _Sum = field(default_factory=_Sum)
    _unsupported: float = 0.0
    _clipped: int = 0
    _unknown: int = 0

    def add(self, logged: Logged, would: Mapping[str, float]) -> None:
        """`would` gives, by model, the probability with which the other policy chooses it; they add up to 1."""
        chances = logged.chances or {logged.chosen: 1.0}  # nothing was left to chance
        chance = chances.get(logged.chosen, 1.0)
        weight = would.get(logged.chosen, 0.0) / chance
        if weight > LARGEST_WEIGHT:
            self._clipped += 1
            weight = LARGEST_WEIGHT
        self._weights.add(weight)
        self._unsupported += sum(share for model, share in would.items() if chances.get(model, 0.0) == 0.0)
        cost = _corrected(logged.cents, would, logged.chosen, logged.spent, weight, otherwise=logged.spent)
        self._sums["cost"].add(cost)
        self._sums["saved"].add(cost - logged.spent)
        if logged.seen is None:
            return
        if any(share > 0 and not chances.get(one) and one not in logged.expected for one, share in would.items()):
            self._unknown += 1
            return
        worth = _corrected(logged.expected, would, logged.chosen, logged.seen, weight, otherwise=_NOBODY_KNOWS)
        self._sums["quality"].add(worth)
        self._sums["better"].add(worth - logged.seen)

    def result(self) -> Replayed:
        estimates = {name: terms.estimate(self.confidence) for name, terms in self._sums.items()}
        decisions, weights = self._weights.n, self._weights
        return Replayed(
            decisions=decisions,
            judged=self._sums["quality"].n,
            cost=estimates["cost"],
            cost_difference=estimates["saved"],
            quality=estimates["quality"],
            quality_difference=estimates["better"],
            unsupported=self._unsupported / decisions if decisions else 0.0,
            effective=weights.total**2 / weights.squares if weights.squares else 0.0,
            clipped=self._clipped,
            unknown=self._unknown,
        )


def replay(decisions: Iterable[tuple[Logged, Mapping[str, float]]], confidence: float = CONFIDENCE) -> Replayed:
    """Of all of them, each with what the other policy would have chosen."""
    replayed = Replay(confidence)
    for logged, would in decisions:
        replayed.add(logged, would)
    return replayed.result()


def _corrected(
    model: Mapping[str, float],
    would: Mapping[str, float],
    chosen: str,
    seen: float,
    weight: float,
    *,
    otherwise: float,
) -> float:
    """One term of the doubly robust mean; `otherwise` is expected where the model says nothing."""
    predicted = math.fsum(share * model.get(name, otherwise) for name, share in would.items())
    return predicted + weight * (seen - model.get(chosen, otherwise))
