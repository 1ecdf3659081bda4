"""The score by which an answer is served again: the log-odds that it serves this question too."""

from collections.abc import Sequence
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from aico.caching.neighbourhood import Surroundings
from aico.embedding_service.verification.weights import CONSERVATIVE

Floats = NDArray[np.float64]

# What a score is made of, in this order. Samples and weights of another version are not used: raise it with any change
# of what these are, of how they are computed, or of the verifier's weights.
FEATURES_VERSION = 1
FEATURES = ("intercept", "pair", "similarity", "margin", "support")
# Before a namespace has taught anything: the pair alone, as the verifier sees it.
START_WEIGHTS = (0.0, 1.0, 0.0, 0.0, 0.0)
START_CUT = log(CONSERVATIVE / (1 - CONSERVATIVE))  # what is served then
_CERTAIN = 1e-4  # no pair is surer than this
_PRIOR = 0.3  # precision of the weights around those of the start
_STEPS = 30
_GAIN = 1e-6  # of the logarithmic loss; less is not worth a step
_USUAL = 0.85  # similarity; features are brought to the order of 1


def features(pair: float, similarity: float, around: Surroundings) -> tuple[float, ...]:
    """`pair` is the verifier's probability that one answer serves both questions; similarity is their cosine."""
    sure = min(max(pair, _CERTAIN), 1 - _CERTAIN)
    return (1.0, log(sure / (1 - sure)), 10 * (similarity - _USUAL), 10 * around.margin, around.support)


def score(seen: Sequence[float], weights: Sequence[float]) -> float:
    return float(sum(a * b for a, b in zip(seen, weights, strict=True)))


def probability(log_odds: float) -> float:
    """The score as one."""
    return 1 / (1 + exp(-min(max(log_odds, -30.0), 30.0)))


def fitted(seen: Floats, right: Floats) -> tuple[float, ...]:
    """Weights of a logistic regression with a normal prior around the start: its mode, by damped Newton steps.

    `seen` has shape (samples, features), `right` is 1 where the answer was right. O(samples) a step.
    """
    start = np.array(START_WEIGHTS)
    weights, loss = start, _loss(start, seen, right)
    for _ in range(_STEPS):
        scores = seen @ weights
        slope = seen.T @ (_chances(scores) - right) + _PRIOR * (weights - start)
        step = np.linalg.solve(bend(seen, scores), slope)
        while (lower := _loss(weights - step, seen, right)) > loss:
            step = step / 2
        weights, gained, loss = weights - step, loss - lower, lower
        if gained < _GAIN:
            break
    return tuple(float(weight) for weight in weights)


def bend(seen: Floats, scores: Floats) -> Floats:
    """Second derivatives of the loss at these scores: the inverse of the posterior's covariance, roughly."""
    chance = _chances(scores)
    found: Floats = (seen * (chance * (1 - chance))[:, None]).T @ seen + _PRIOR * np.eye(seen.shape[1])
    return found


def _chances(scores: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
    return found


def _loss(weights: Floats, seen: Floats, right: Floats) -> float:
    odds = seen @ weights
    return float(np.sum(np.logaddexp(0, odds) - right * odds) + _PRIOR / 2 * np.sum((weights - START_WEIGHTS) ** 2))
