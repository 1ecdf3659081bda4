"""A logistic regression whose weights keep their sign, and what is measured on its scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aico.embedding_service.verification.features import FEATURES

Floats = NDArray[np.float64]

# Likeness can only speak for a match, and what differs only against it.
SPEAKS_FOR = frozenset({"cosine", "closeness", "verbatim", "straight", "turned_back"})
# Templates make any guard a certainty. In free traffic guards err: none is believed further than this, in logits.
_MOST, _UNBOUNDED = 5.0, frozenset({"cosine", "closeness"})
_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class Fitted:
    bias: float
    weights: Floats  # in the order of FEATURES

    def scores(self, features: Floats) -> Floats:
        return 1 / (1 + np.exp(-np.clip(features @ self.weights + self.bias, -30, 30)))


def fit(features: Floats, same: Floats, importance: Floats, certainty: float = 0.002) -> Fitted:
    """By accelerated projected gradients (Beck and Teboulle, 2009) on scaled features, with a ridge."""
    scale = np.maximum(features.std(axis=0), 0.05)
    rows = np.column_stack([features / scale, np.ones(len(features))])
    signs = np.array([1.0 if name in SPEAKS_FOR else -1.0 for name in FEATURES])
    weighted = importance / importance.sum()
    step = 1 / (0.25 * np.linalg.norm(rows * np.sqrt(weighted)[:, None], 2) ** 2 + certainty)
    ridge = np.append(np.full(len(FEATURES), certainty), 0.0)
    at = ahead = np.zeros(rows.shape[1])
    pace = 1.0
    for _ in range(_STEPS):
        probable = 1 / (1 + np.exp(-np.clip(rows @ ahead, -30, 30)))
        new = ahead - step * (rows.T @ (weighted * (probable - same)) + ridge * ahead)
        new[:-1] = np.where(new[:-1] * signs > 0, new[:-1], 0.0)
        quicker = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = new + (pace - 1) / quicker * (new - at)
        at, pace = new, quicker
    most = np.where([name in _UNBOUNDED for name in FEATURES], np.inf, _MOST)
    return Fitted(float(at[-1]), np.clip(at[:-1] / scale, -most, most))


def auc(scores: Floats, same: Floats) -> float:
    """The probability that a pair of one answer scores above one of two answers; ties count half."""
    order = np.argsort(scores, kind="stable")
    _, place, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = np.empty(len(scores))
    ranks[order] = (ends - (counts - 1) / 2)[place]
    positives = same.sum()
    return float((ranks[same == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(same) - positives)))
