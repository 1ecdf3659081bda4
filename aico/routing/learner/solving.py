"""From sums to weights: what each model is expected to do on a prompt. Off the path of requests: takes 0.1 to 2 s."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aico.routing.learner.design import DESIGN, DIMENSIONS, INTERCEPT, SCORE, VECTOR
from aico.routing.learner.frontier import RecentAsk, frontier
from aico.routing.learner.learned import Learned
from aico.routing.learner.statistics import Statistics

Matrix = NDArray[np.floating]

# Precisions of what is not known yet, in units of one outcome's: how many outcomes it takes to move a weight halfway.
# Of a cheap number that varies by 1, others in proportion to their variance, the one is taken that the outcomes make
# the most likely.
_CHEAP_PRECISIONS = (500.0, 2000.0, 8000.0)
_VECTOR_PRECISION = 10.0  # of each of the embedding's numbers: they vary by about 1/384
_LEVEL_PRECISION = 1.0  # of the quality on the mean prompt
_LEAST_VARIANCE = 1e-3
_SHARED, _OWN = 4.0, 2.0  # factors, for what all models have in common and for what each has of its own
_LEAST_NOISE = 0.01  # variance of outcomes


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
    fades as outcomes weigh more than it does. `shared` and `own` are normal; their posterior mean is exact.
    """
    known = {model: sums for model, sums in statistics.items() if model in ranks and sums.labels > 0}
    prior = {model: prior_weights(rank) for model, rank in ranks.items()}
    noise = _noise(known)
    tried = _CHEAP_PRECISIONS if known else _CHEAP_PRECISIONS[:1]
    solutions = [_solution(known, prior, _precision(known, cheap), noise) for cheap in tried]
    best = max(solutions, key=lambda one: one.evidence)
    rows = {model: row.astype(np.float32) for model, row in best.weights.items()}
    labels = {model: sums.labels for model, sums in known.items()}
    return Learned(version, DESIGN, best.shared.astype(np.float32), rows, labels, best.spread, frontier(rows, recent))


def prior_weights(rank: float) -> NDArray[np.float64]:
    """The weaker a model is ranked the less it does, and the more so the more demanding a prompt looks."""
    weights = np.zeros(DIMENSIONS)
    weights[INTERCEPT], weights[SCORE] = 1 - (1 - rank) / 2, -(1 - rank) / 2
    return weights


def _solution(
    known: Mapping[str, Statistics], prior: Mapping[str, Matrix], precision: Matrix, noise: float
) -> _Solution:
    """Each model's own weights are eliminated from its sums; what is left has the shared ones to explain it."""
    own, gathered, wanted = _OWN * precision, _SHARED * precision, np.zeros(DIMENSIONS)
    inverses, left = {}, {}
    for model, sums in known.items():
        inverses[model] = np.linalg.inv(sums.moments + own)
        left[model] = sums.products - sums.moments @ prior[model]
        weighed = own @ inverses[model]
        gathered = gathered + weighed @ sums.moments
        wanted += weighed @ left[model]
    shared = np.linalg.solve(gathered, wanted)
    weights = {model: base + shared for model, base in prior.items()}
    evidence, volume = 0.0, np.linalg.slogdet(own)[1]
    spread = {}
    for model, inverse in inverses.items():
        sums = known[model]
        unexplained = left[model] - sums.moments @ shared
        alone = inverse @ unexplained
        weights[model] = weights[model] + alone
        evidence += 0.5 * float(unexplained @ alone) / noise + 0.5 * (np.linalg.slogdet(inverse)[1] + volume)
        # How far off an expected quality is, as a standard deviation over the prompts so far.
        spread[model] = float(np.sqrt(noise * np.sum(inverse * sums.moments) / sums.labels))
    return _Solution(evidence, shared, weights, spread)


def _precision(known: Mapping[str, Statistics], cheap: float) -> Matrix:
    """In the scale of what was seen, so that no unit of a number matters; the level is that of the mean prompt."""
    labels = sum(sums.labels for sums in known.values()) or 1.0
    mean, squares = np.zeros(DIMENSIONS), np.zeros(DIMENSIONS)
    for sums in known.values():
        mean += sums.moments[INTERCEPT] / labels
        squares += np.diag(sums.moments) / labels
    slopes = cheap * (np.maximum(squares - mean**2, 0) + _LEAST_VARIANCE)
    slopes[VECTOR] = _VECTOR_PRECISION
    slopes[INTERCEPT] = 0.0
    mean[INTERCEPT] = 1.0
    return np.diag(slopes) + _LEVEL_PRECISION * np.outer(mean, mean)


def _noise(known: Mapping[str, Statistics]) -> float:
    """Variance of the outcomes of a model around their mean."""
    labels = sum(sums.labels for sums in known.values()) or 1.0
    around = sum(sums.squares - sums.products[INTERCEPT] ** 2 / sums.labels for sums in known.values())
    return max(_LEAST_NOISE, float(around) / labels)
