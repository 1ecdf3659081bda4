"""From sums to weights: what each model is expected to do on a prompt. Off the path of requests: takes 0.1 to 2 s."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aico.routing.learner.design import DESIGN, DIMENSIONS, INTERCEPT, SCORE, VECTOR
from aico.routing.learner.frontier import RecentAsk, frontier
from aico.routing.learner.learned import Learned
from aico.routing.learner.statistics import Statistics

Matrix = NDArray[np.floating]

# Precisions of what is not known yet, in units of one outcome's: how many outcomes it takes to move a weight halfway.
# Those of cheap numbers hold for one that varies by 1, others in proportion to their variance. What models have in
# common may move more freely than what tells them apart: with the outcomes of chosen models alone, an ill-fitting
# common part would pass for a difference.
_COMMON = 1000.0
# Of what a model has of its own in cheap numbers, each with the probability that it has before any outcome.
_OWN: Mapping[float, float] = MappingProxyType({1000.0: 0.1, 8000.0: 0.45, 32_000.0: 0.45})
_COMMON_VECTOR, _OWN_VECTOR = 10.0, 20.0  # of each of the embedding's numbers: they vary by about 1/384
_COMMON_LEVEL, _OWN_LEVEL = 4.0, 2.0  # of the quality on the mean prompt
_LEAST_VARIANCE = 1e-3
_LEAST_NOISE = 0.01  # variance of outcomes
_LEAST_PROBABLE = 0.01  # a precision that is less probable has no say

# By how much less a model of rank 0 does on a prompt that looks harder than usual by one standard deviation, and that
# deviation of the complexity score where no traffic is known, or less than some outcomes.
_STEEPNESS, _USUAL_DEVIATION, _UNTIL = 0.1, 0.2, 10.0
_LEAST_DEVIATION = 0.05
_USUAL_SCORE = 0.4  # of a prompt, until some were seen


@dataclass(frozen=True)
class _Solution:
    evidence: float  # logarithm, up to a constant, of how likely the outcomes are
    shared: Matrix
    weights: Mapping[str, Matrix]
    spread: Mapping[str, float]


def solve(
    statistics: Mapping[str, Statistics], recent: Sequence[RecentAsk], ranks: Mapping[str, float], version: int
) -> Learned:
    """`ranks` are the catalogue's qualities in 0..1, of the models to learn about; statistics of others do not count.

    The quality of model m on x is x·(prior_m + shared + own_m): the prior is what ranks and complexity suggest, and
    fades as outcomes weigh more than it does. `shared` and `own` are normal; their posterior mean is exact. How freely
    `own` moves is not known: it is the mean over what is possible, by how likely each makes the outcomes.
    """
    known = {model: sums for model, sums in statistics.items() if model in ranks and sums.labels > 0}
    best = _mean(known, priors(known, ranks))
    rows = {model: row.astype(np.float32) for model, row in best.weights.items()}
    labels = {model: sums.labels for model, sums in known.items()}
    return Learned(version, DESIGN, best.shared.astype(np.float32), rows, labels, best.spread, frontier(rows, recent))


def prior_weights(rank: float) -> NDArray[np.float64]:
    """The weaker a model is ranked the less it does, and the more so the more demanding a prompt looks."""
    return _prior(rank, 0.0, _USUAL_DEVIATION)


def priors(statistics: Mapping[str, Statistics], ranks: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """By model, prior weights in the scale of the prompts so far: on the mean one they say what `prior_weights` do."""
    mean, squares, labels = _seen(statistics)
    varies = labels * max(0.0, squares[SCORE] - mean[SCORE] ** 2) + _UNTIL * _USUAL_DEVIATION**2
    deviation = max(_LEAST_DEVIATION, sqrt(varies / (labels + _UNTIL)))
    return {model: _prior(rank, mean[SCORE], deviation) for model, rank in ranks.items()}


def usual(statistics: Mapping[str, Statistics]) -> Matrix:
    """The mean prompt so far, as a design vector."""
    mean, _, labels = _seen(statistics)
    if not labels:
        mean[INTERCEPT], mean[SCORE] = 1.0, _USUAL_SCORE
    return mean


def _prior(rank: float, score: float, deviation: float) -> NDArray[np.float64]:
    """`score` and `deviation` are those of the complexity of the prompts so far."""
    steep = (1 - rank) * _STEEPNESS
    weights = np.zeros(DIMENSIONS)
    weights[SCORE] = -steep / deviation
    weights[INTERCEPT] = 1 - (1 - rank) / 2 - steep / _USUAL_DEVIATION * score - weights[SCORE] * score
    return weights


def _mean(known: Mapping[str, Statistics], prior: Mapping[str, Matrix]) -> _Solution:
    if not known:
        return _solution(known, prior, next(iter(_OWN)), 1.0)
    noise = _noise(known)
    solutions = [_solution(known, prior, own, noise) for own in _OWN]
    likely = np.array([one.evidence for one in solutions])
    probable = np.exp(likely - likely.max()) * list(_OWN.values())
    probable /= probable.sum()
    said = [(one, share) for one, share in zip(solutions, probable, strict=True) if share >= _LEAST_PROBABLE]
    whole = sum(share for _, share in said)
    return _Solution(
        float(likely.max()),
        np.asarray(sum(share / whole * one.shared for one, share in said)),
        {model: np.asarray(sum(share / whole * one.weights[model] for one, share in said)) for model in prior},
        {model: float(sum(share / whole * one.spread[model] for one, share in said)) for model in known},
    )


def _solution(known: Mapping[str, Statistics], prior: Mapping[str, Matrix], cheap: float, noise: float) -> _Solution:
    """Each model's own weights are eliminated from its sums; what is left has the shared ones to explain it."""
    common = _precision(known, _COMMON, _COMMON_VECTOR, _COMMON_LEVEL)
    own = _precision(known, cheap, _OWN_VECTOR, _OWN_LEVEL)
    gathered, wanted = common, np.zeros(DIMENSIONS)
    inverses, left = {}, {}
    evidence, volume = 0.5 * _volume(common), _volume(own)
    for model, sums in known.items():
        inverses[model] = np.linalg.inv(sums.moments + own)
        left[model] = sums.products - sums.moments @ prior[model]
        weighed = own @ inverses[model]
        gathered = gathered + weighed @ sums.moments
        wanted += weighed @ left[model]
        explained = float(left[model] @ inverses[model] @ left[model]) / noise
        evidence += 0.5 * (explained + _volume(inverses[model]) + volume)
    shared = np.linalg.solve(gathered, wanted)
    evidence += 0.5 * (float(wanted @ shared) / noise - _volume(gathered))
    weights = {model: base + shared for model, base in prior.items()}
    spread = {}
    for model, inverse in inverses.items():
        sums = known[model]
        weights[model] = weights[model] + inverse @ (left[model] - sums.moments @ shared)
        # How far off an expected quality is, as a standard deviation over the prompts so far.
        spread[model] = float(np.sqrt(noise * np.sum(inverse * sums.moments) / sums.labels))
    return _Solution(evidence, shared, weights, spread)


def _precision(known: Mapping[str, Statistics], cheap: float, vector: float, level: float) -> Matrix:
    """In the scale of what was seen, so that no unit of a number matters; the level is that of the mean prompt."""
    mean, squares, _ = _seen(known)
    slopes = cheap * (np.maximum(squares - mean**2, 0) + _LEAST_VARIANCE)
    slopes[VECTOR] = vector
    slopes[INTERCEPT] = 0.0
    mean[INTERCEPT] = 1.0
    return np.diag(slopes) + level * np.outer(mean, mean)


def _seen(known: Mapping[str, Statistics]) -> tuple[Matrix, Matrix, float]:
    """Of the numbers of all prompts so far, the means, the means of their squares, and how many prompts there are."""
    labels = sum(sums.labels for sums in known.values())
    mean, squares = np.zeros(DIMENSIONS), np.zeros(DIMENSIONS)
    for sums in known.values():
        mean += sums.moments[INTERCEPT]
        squares += np.diag(sums.moments)
    return mean / (labels or 1.0), squares / (labels or 1.0), labels


def _volume(matrix: Matrix) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def _noise(known: Mapping[str, Statistics]) -> float:
    """Variance of the outcomes of a model around their mean."""
    labels = sum(sums.labels for sums in known.values()) or 1.0
    around = sum(sums.squares - sums.products[INTERCEPT] ** 2 / sums.labels for sums in known.values())
    return max(_LEAST_NOISE, float(around) / labels)
