"""How good a router is, as RouteLLM defines it (arXiv 2406.18665), over the full sweep of its threshold.

A sweep sends the prompts of the highest scores to the strong model, from none to all of them. Prompts of one score are
sent in random order, of which the mean is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recovered:
    """Shares are of the calls; a cost is relative to calling the strong model always."""

    apgr: float
    cpt50: float
    cpt80: float
    cost95: float


def recovered(scores: Numbers, weak: Numbers, strong: Numbers, prices: tuple[float, float]) -> Recovered:
    """`scores`, `weak` and `strong` have one number for each prompt; `prices` of a call are (weak, strong)."""
    quality = sweep(scores, weak, strong)
    share = np.linspace(0, 1, len(quality))
    gap = (quality - quality[0]) / (quality[-1] - quality[0])
    needed = first_share(quality, 0.95 * quality[-1])
    return Recovered(
        apgr=float(np.trapezoid(gap, share)),
        cpt50=first_share(gap, 0.5),
        cpt80=first_share(gap, 0.8),
        cost95=(needed * prices[1] + (1 - needed) * prices[0]) / prices[1],
    )


def sweep(scores: Numbers, weak: Numbers, strong: Numbers) -> Numbers:
    """Mean quality with 0, 1, ... all prompts sent to the strong model: shape (prompts + 1,)."""
    gains = (strong - weak).astype(np.float64)
    _, tied, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    shared = np.bincount(tied, weights=gains) / counts
    ordered = np.repeat(shared, counts)
    return np.asarray(weak.mean() + np.concatenate([[0.0], np.cumsum(ordered)]) / len(gains))


def first_share(reached: Numbers, wanted: float) -> float:
    """The least share of strong calls with which `wanted` is reached, between two points in proportion."""
    at = int(np.argmax(reached >= wanted - 1e-12))
    if at == 0:
        return 0.0
    step = (wanted - reached[at - 1]) / (reached[at] - reached[at - 1])
    return float((at - 1 + step) / (len(reached) - 1))


@dataclass(frozen=True, slots=True)
class AmongMany:
    """Costs are relative to always calling the single model that is best on the same prompts."""

    at_best: float | None  # cost of the best single model's quality; None where it is not reached
    at_95: float | None  # of 95 % of it
    highest: float  # quality reached at any cost, relative to the best single model's


def among_many(expected: Numbers, quality: Numbers, prices: Sequence[float]) -> AmongMany:
    """`expected` and `quality` have the shape (prompts, models); the sweep is over the price of quality."""
    costs = np.asarray(prices, dtype=np.float64)
    best = int(np.argmax(quality.mean(axis=0)))
    rows = np.arange(len(quality))
    points = []
    for price in (0.0, *np.geomspace(1e-3, 1e3, 601)):
        chosen = np.argmax(expected - price * costs / costs[best], axis=1)
        points.append((float(costs[chosen].mean() / costs[best]), float(quality[rows, chosen].mean())))
    alone = float(quality[:, best].mean())

    def cheapest(share: float) -> float | None:
        return min((cost for cost, reached in points if reached >= share * alone - 1e-12), default=None)

    return AmongMany(cheapest(1.0), cheapest(0.95), max(reached for _, reached in points) / alone)
