"""What is known of a namespace's error, computed of all that was judged there."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from aico.caching.bounding import Cut, lowest_cut, refuted, upper_bound
from aico.caching.modelling import lowest_modelled
from aico.caching.scoring import FEATURES, START_CUT, START_WEIGHTS, Floats, fitted
from aico.caching.watching import Seen, watched

ENOUGH = 100  # samples, for weights of a namespace's own


class State(StrEnum):
    """How much is known of a namespace.

    learning: what is served follows from a model of the error, or is nearly the same question. serving: the cut was
    tested. probation: an answer was wrong, and none is served until it is known whether more are. suspended: more are
    wrong than the target allows, and none is served until there is evidence that some can be.
    """

    LEARNING = "learning"
    SERVING = "serving"
    PROBATION = "probation"
    SUSPENDED = "suspended"

    @property
    def serves(self) -> bool:
        return self in {State.LEARNING, State.SERVING}


@dataclass(frozen=True, slots=True)
class Sample:
    """A decision that was judged."""

    features: Sequence[float] | None  # None: not known any more, or nobody drew it; it is watched alone
    score: float  # by which it was decided then
    right: bool  # the answer serves the question
    eligible: bool  # it was served, or would have been but for probation
    chance: float = 1.0  # with which it was drawn
    drawn: bool = True  # else a caller complained of his own accord
    allowed: float = 0.0  # the error per hit when it was decided


@dataclass(frozen=True, slots=True)
class Calibration:
    state: State
    weights: tuple[float, ...] | None  # None: those of the start
    cut: Cut | None  # None: the start's
    bound: float | None  # of the error per hit at the cut, at the confidence: exact, of the samples alone
    judged: int
    forget: int  # samples, the oldest, that say nothing of the present any more


NOTHING_KNOWN = Calibration(State.LEARNING, None, None, None, 0, 0)


def calibrated(samples: Sequence[Sample], *, target: float, confidence: float, suspended: bool = False) -> Calibration:
    """Of samples in the order in which they were judged. O(samples log samples).

    `suspended`: earlier evidence has been forgotten, so a namespace without a cut of its own serves nothing.
    """
    watch = watched((Seen(one.score, one.right, one.eligible, one.drawn, one.allowed) for one in samples), target)
    forget = 0 if watch.broken_at is None else watch.broken_at + 1
    fresh = [sample for sample in samples[forget:] if sample.features is not None]
    evidence = _Evidence(fresh, target, confidence)
    found = evidence.tested()
    state = State.LEARNING if found is None else State.SERVING
    if len(fresh) >= ENOUGH:
        found = evidence.modelled(found)
    if found is None:
        unfit = suspended or forget > 0 or evidence.refutes(START_WEIGHTS, START_CUT)
        state = State.SUSPENDED if unfit else State.PROBATION if watch.probation else State.LEARNING
        return Calibration(state, None, None, None, len(fresh), forget)
    if watch.probation:
        state = State.PROBATION
    bound = upper_bound(found.cut.wrong, found.cut.above, confidence)
    return Calibration(state, found.weights, found.cut, bound, len(fresh), forget)


@dataclass(frozen=True, slots=True)
class _Served:
    weights: tuple[float, ...]
    cut: Cut


class _Evidence:
    """Samples of one namespace, all of the present."""

    def __init__(self, samples: Sequence[Sample], target: float, confidence: float) -> None:
        self._seen = np.array([sample.features for sample in samples], np.float64).reshape(-1, len(FEATURES))
        self._right = np.array([sample.right for sample in samples], np.float64)
        self._chances = np.array([sample.chance for sample in samples], np.float64)
        self._target, self._confidence = target, confidence
        enough = len(samples) >= ENOUGH
        self._weights = fitted(self._seen, self._right) if enough else START_WEIGHTS

    def tested(self) -> _Served | None:
        scores = self._scores(self._weights)
        cut = lowest_cut(scores, self._right, target=self._target, confidence=self._confidence)
        return None if cut is None else _Served(self._weights, cut)

    def modelled(self, tested: _Served | None) -> _Served | None:
        """The modelled cut where it is lower than the tested one, unless the samples speak against it."""
        least = lowest_modelled(
            self._seen, self._weights, self._chances, target=self._target, confidence=self._confidence
        )
        if least is None or (tested is not None and tested.cut.least <= least):
            return tested
        return tested if self.refutes(self._weights, least) else _Served(self._weights, self._at(self._weights, least))

    def refutes(self, weights: tuple[float, ...], least: float) -> bool:
        """Whether the samples show that more than the target is wrong from this score on."""
        cut = self._at(weights, least)
        return refuted(cut.wrong, cut.above, self._target, self._confidence)

    def _at(self, weights: tuple[float, ...], least: float) -> Cut:
        above = self._scores(weights) >= least
        return Cut(least, int(above.sum()), int((1 - self._right[above]).sum()))

    def _scores(self, weights: tuple[float, ...]) -> Floats:
        found: Floats = self._seen @ np.array(weights)
        return found
