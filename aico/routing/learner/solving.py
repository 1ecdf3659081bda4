"""From sums to weights: what each model is expected to do on a prompt. Off the path of requests: takes 0.1 to 1 s."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aico.routing.learner.design import DESIGN, DIMENSIONS, INTERCEPT, SCORE, VECTOR
from aico.routing.learner.learned import Learned, Weights
from aico.routing.learner.statistics import Statistics

Matrix = NDArray[np.float64]
_PRICES = np.geomspace(1e-4, 1e4, 65)  # of quality, in quality per cent


@dataclass(frozen=True)
class RecentAsk:
    """One of a tenant's last decisions: what could have been chosen, and at what price."""

    x: NDArray[np.float16] | NDArray[np.float32]  # its design vector
    cents: Mapping[str, float]  # expected, by model that could answer


def solve(
    statistics: Mapping[str, Statistics], recent: Sequence[RecentAsk], ranks: Mapping[str, float], version: int
) -> Learned:
    """`ranks` are the catalogue's qualities in 0..1, of the models to learn about; statistics of others do not count.

    Quality of model m on x is x·(shared + own_m). Both are normal around what the ranks suggest; the posterior mean is
    found exactly, as own_m can be eliminated from the sums of each model.
    """
    statistics = {model: sums for model, sums in statistics.items() if model in ranks}
    prior = {model: _prior(rank) for model, rank in ranks.items()}
    shared_precision, own_precision = _precision(1.0), _precision(4.0)
    gathered, wanted = np.diag(shared_precision), np.zeros(DIMENSIONS)
    eliminated = {}
    for model, sums in statistics.items():
        left = sums.products - sums.moments @ prior[model]
        inverse = np.linalg.inv(sums.moments + np.diag(own_precision))
        eliminated[model] = (inverse, left)
        gathered += own_precision[:, None] * (inverse @ sums.moments)
        wanted += own_precision * (inverse @ left)
    shared = np.linalg.solve(gathered, wanted)
    weights, spread = {}, {}
    for model, base in prior.items():
        weights[model] = base + shared
        if model in eliminated:
            inverse, left = eliminated[model]
            weights[model] += inverse @ (left - statistics[model].moments @ shared)
            spread[model] = _spread(inverse, statistics[model])
    solved = {model: row.astype(np.float32) for model, row in weights.items()}
    labels = {model: sums.labels for model, sums in statistics.items()}
    return Learned(version, DESIGN, shared.astype(np.float32), solved, labels, spread, frontier(solved, recent))


def _prior(rank: float) -> Matrix:
    """The weaker a model is ranked the less it does, and the more so the more demanding a prompt looks."""
    weights = np.zeros(DIMENSIONS)
    weights[INTERCEPT], weights[SCORE] = 1 - (1 - rank) / 2, -(1 - rank) / 2
    return weights


def _precision(scale: float) -> Matrix:
    precision = np.full(DIMENSIONS, 10.0 * scale)
    precision[INTERCEPT] = 0.1
    precision[VECTOR] = 10.0 * scale
    return precision


def _spread(inverse: Matrix, sums: Statistics) -> float:
    """How far off the expected quality of a prompt is, as a standard deviation over the prompts so far."""
    noise = 0.2
    return float(np.sqrt(noise * np.sum(inverse * sums.moments) / max(sums.labels, 1.0)))


def frontier(
    weights: Mapping[str, NDArray[np.float32]], recent: Sequence[RecentAsk]
) -> tuple[tuple[float, float], ...]:
    """What quality is reached on recent traffic with each price of quality, dearest first; see Learned.frontier."""
    known = [model for model in weights if any(model in ask.cents for ask in recent)]
    if not known:
        return ()
    rows = np.stack([ask.x for ask in recent]).astype(np.float32)
    quality = rows @ np.stack([weights[model] for model in known]).T
    cents = np.array([[ask.cents.get(model, np.inf) for model in known] for ask in recent])
    quality = np.where(np.isinf(cents), -np.inf, quality)
    best = max(float(np.mean(np.where(np.isinf(column), 0.0, column))) for column in quality.T)
    reached = []
    for price in _PRICES[::-1]:
        chosen = np.argmax(quality - price * np.where(np.isinf(cents), 0.0, cents), axis=1)
        reached.append((float(np.mean(quality[np.arange(len(rows)), chosen])) / max(best, 1e-9), float(price)))
    return tuple(sorted(reached))
