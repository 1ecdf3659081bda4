"""From which score on answers may be served, as long as a namespace has too few samples for a test without assumptions.

The logistic model of the scores says of each sample how probable an error is; how sure the model is of itself is the
normal approximation to its posterior (Laplace; see MacKay, "The evidence framework applied to classification networks",
Neural Computation 4, 1992). A cut is taken where, with the stated probability, the mean error of what scores at least
that stays below the target. All samples inform it, those that were not served too.
"""

import numpy as np

from aico.caching.bounding import last_equals
from aico.caching.scoring import Floats, bend

_DRAWS = 64  # of the posterior
_SEED = 20
_FEW = 20  # samples above a cut: the mean of fewer says little


def lowest_modelled(
    seen: Floats, weights: tuple[float, ...], chances: Floats, *, target: float, confidence: float
) -> float | None:
    """The lowest score; None: there is none. `chances` are those with which the samples were drawn.

    `seen` has shape (samples, features). O(64 samples).
    """
    scores = seen @ np.array(weights)
    order = np.argsort(-scores, kind="stable")
    spread = np.linalg.inv(bend(seen, scores))
    draws = np.random.default_rng(_SEED).multivariate_normal(weights, spread, _DRAWS)
    errors = 1 / (1 + np.exp(np.clip(seen[order] @ draws.T, -30, 30)))
    counts = 1 / chances[order]  # each stands for those that were not drawn
    means = np.cumsum(errors * counts[:, None], axis=0) / np.cumsum(counts)[:, None]
    ends = np.unique(last_equals(scores[order]))
    kept = ends[np.quantile(means[ends], confidence, axis=1) <= target]
    if not len(kept) or kept[-1] + 1 < _FEW:
        return None
    return float(scores[order[kept[-1]]])
