"""From sums to weights: what each model is expected to do on a prompt. Off the path of requests: takes 0.1 to 1 s."""

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
_CHEAP_PRECISION = 2000.0  # of a number that varies by 1; others in proportion to their variance
_VECTOR_PRECISION = 10.0  # of each of the embedding's numbers: they vary by about 1/384
_LEVEL_PRECISION = 1.0  # of the quality on the mean prompt
_LEAST_VARIANCE = 1e-3
_SHARED, _OWN = 4.0, 2.0  # factors, for what all models have in common and for what each has of its own
_NOISE = 0.2  # variance of one outcome around what is expected; that of a coin is 0.25


@dataclass(frozen=True)
class _Part:
    """One model's sums with its own weights eliminated, and what is left for the shared ones to explain."""

    sums: Statistics
    inverse: Matrix
    left: Matrix


def solve(
    statistics: Mapping[str, Statistics], recent: Sequence[RecentAsk], ranks: Mapping[str, float], version: int
) -> Learned:
    """`ranks` are the catalogue's qualities in 0..1, of the models to learn about; statistics of others do not count.

    The quality of model m on x is x·(prior_m + shared + own_m): the prior is what ranks and complexity suggest, and
    fades as outcomes weigh more than it does. `shared` and `own` are normal; their posterior mean is exact.
    """
    known = {model: sums for model, sums in statistics.items() if model in ranks and sums.labels > 0}
    prior = {model: prior_weights(rank) for model, rank in ranks.items()}
    precision = _precision(known)
    parts = {}
    gathered, wanted = _SHARED * precision, np.zeros(DIMENSIONS)
    own = _OWN * precision
    for model, sums in known.items():
        inverse: Matrix = np.linalg.inv(sums.moments + own)
        parts[model] = part = _Part(sums, inverse, sums.products - sums.moments @ prior[model])
        gathered = gathered + own @ inverse @ sums.moments
        wanted += own @ (inverse @ part.left)
    shared = np.linalg.solve(gathered, wanted) if known else wanted
    weights = {model: base + shared for model, base in prior.items()}
    for model, part in parts.items():
        weights[model] += part.inverse @ (part.left - part.sums.moments @ shared)
    rows = {model: row.astype(np.float32) for model, row in weights.items()}
    return Learned(
        version,
        DESIGN,
        shared.astype(np.float32),
        rows,
        {model: sums.labels for model, sums in known.items()},
        {model: _spread(part) for model, part in parts.items()},
        frontier(rows, recent),
    )


def prior_weights(rank: float) -> Matrix:
    """The weaker a model is ranked the less it does, and the more so the more demanding a prompt looks."""
    weights = np.zeros(DIMENSIONS)
    weights[INTERCEPT], weights[SCORE] = 1 - (1 - rank) / 2, -(1 - rank) / 2
    return weights


def _precision(statistics: Mapping[str, Statistics]) -> Matrix:
    """In the scale of what was seen, so that no unit of a number matters; the level is that of the mean prompt."""
    labels = sum(sums.labels for sums in statistics.values()) or 1.0
    mean, squares = np.zeros(DIMENSIONS), np.zeros(DIMENSIONS)
    for sums in statistics.values():
        mean += sums.moments[INTERCEPT] / labels
        squares += np.diag(sums.moments) / labels
    slopes = _CHEAP_PRECISION * (np.maximum(squares - mean**2, 0) + _LEAST_VARIANCE)
    slopes[VECTOR] = _VECTOR_PRECISION
    slopes[INTERCEPT] = 0.0
    mean[INTERCEPT] = 1.0
    precision: Matrix = np.diag(slopes) + _LEVEL_PRECISION * np.outer(mean, mean)
    return precision


def _spread(part: _Part) -> float:
    """How far off an expected quality is, as a standard deviation over the prompts so far."""
    return float(np.sqrt(_NOISE * np.sum(part.inverse * part.sums.moments) / part.sums.labels))
