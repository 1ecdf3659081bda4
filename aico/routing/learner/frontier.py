"""What a tenant's own recent traffic would reach at what cost: from it a target of quality becomes a price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aico.routing.learner.learned import Frontier, Weights

_PRICES = np.geomspace(1e-4, 1e4, 161)[::-1]  # quality that one more US cent has to gain, dearest first


@dataclass(frozen=True)
class RecentAsk:
    """One of a tenant's last decisions: what could have been chosen, and at what price."""

    x: NDArray[np.float16] | NDArray[np.float32]  # its design vector
    cents: Mapping[str, float]  # expected, by model that could answer


def frontier(weights: Mapping[str, Weights], recent: Sequence[RecentAsk]) -> Frontier:
    """By price of quality what share of the best single model's quality is reached, rising; see Learned.frontier.

    The best single model is the one that is expected to do best on all of `recent`, each prompt that it could not
    answer counting as none. Empty for no traffic, or none of known models.
    """
    models = [model for model in weights if any(model in ask.cents for ask in recent)]
    asks = [ask for ask in recent if any(model in ask.cents for model in models)]
    if not asks:
        return ()
    cents = np.array([[ask.cents.get(model, np.nan) for model in models] for ask in asks])
    able = ~np.isnan(cents)
    expected = np.stack([ask.x for ask in asks]).astype(np.float32) @ np.stack([weights[model] for model in models]).T
    quality = np.clip(expected, 0.0, 1.0)
    single = max(float(np.where(able, quality, 0.0).mean(axis=0).max()), 1e-9)
    points = []
    for price in _PRICES:
        chosen = np.argmax(np.where(able, expected - price * np.nan_to_num(cents), -np.inf), axis=1)
        points.append((float(quality[np.arange(len(asks)), chosen].mean()) / single, float(price)))
    points.append((max(1.0, points[-1][0]), 0.0))
    return tuple(points)
