"""What is known of a namespace's error, computed of all that was judged there."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from aico.caching.bounding import Cut, lowest_cut, refuted, upper_bound
from aico.caching.modelling import lowest_modelled
from aico.caching.scoring import START_WEIGHTS, Floats, fitted
from aico.caching.watching import Seen, Watch, watched

ENOUGH = 100  # samples, for weights of a namespace's own


class State(StrEnum):
    """How much is known of a namespace.

    learning: what is served follows from a model of the error, or is nearly the same question. serving: the cut was
    tested. probation: an answer was wrong, and none is served until it is known whether more are. suspended: more were,
    and none is served until there is enough evidence of the time since then.
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

    features: Sequence[float] | None  # None: a caller spoke of his own accord, which counts as an alarm alone
    score: float  # by which it was decided then
    right: bool  # the answer serves the question
    eligible: bool  # it was served, or would have been but for probation
    chance: float = 1.0  # with which it was drawn


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
    watch = watched((Seen(sample.score, sample.right, sample.eligible) for sample in samples), target)
    forget = 0 if watch.broken_at is None else watch.broken_at + 1
    fresh = [sample for sample in samples[forget:] if sample.features is not None]
    if not fresh:
        return Calibration(_unknown(watch, suspended=suspended or forget > 0), None, None, None, 0, forget)
    seen = np.array([sample.features for sample in fresh], np.float64)
    right = np.array([sample.right for sample in fresh], np.float64)
    weights = fitted(seen, right) if len(fresh) >= ENOUGH else None
    scores = seen @ np.array(weights or START_WEIGHTS)
    cut = lowest_cut(scores, right, target=target, confidence=confidence)
    state = State.LEARNING if cut is None else State.SERVING
    if weights is not None:
        chances = np.array([sample.chance for sample in fresh], np.float64)
        modelled = lowest_modelled(seen, weights, chances, target=target, confidence=confidence)
        cut = _lower(cut, modelled, scores, right, target, confidence)
    if cut is None:
        state = _unknown(watch, suspended=suspended or forget > 0)
    elif watch.probation:
        state = State.PROBATION
    bound = None if cut is None else upper_bound(cut.wrong, cut.above, confidence)
    return Calibration(state, weights, cut, bound, len(fresh), forget)


def _unknown(watch: Watch, *, suspended: bool) -> State:
    if suspended:
        return State.SUSPENDED
    return State.PROBATION if watch.probation else State.LEARNING


def _lower(
    tested: Cut | None, modelled: float | None, scores: Floats, right: Floats, target: float, confidence: float
) -> Cut | None:
    """The modelled cut where it is lower than the tested one, unless the samples speak against it."""
    if modelled is None or (tested is not None and tested.least <= modelled):
        return tested
    served = scores >= modelled
    cut = Cut(modelled, int(served.sum()), int((1 - right[served]).sum()))
    return tested if refuted(cut.wrong, cut.above, target, confidence) else cut
