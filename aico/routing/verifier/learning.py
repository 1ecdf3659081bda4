"""A verifier that learns from outcomes which drafts were good enough. Until it has any it says what the signs say."""

from collections.abc import Mapping

import numpy as np

from aico.routing.learner.design import INTERCEPT, Design
from aico.routing.learner.learned import Learned, Weights
from aico.routing.learner.statistics import Statistics
from aico.routing.verifier.answer_design import ANSWER_DESIGN, DIMENSIONS, LOSS

_CERTAINTY = 10.0  # of the prior, in outcomes; of the constant hardly any
_CERTAINTY_OF_CONSTANT = 0.1
_CERTAIN = 0.95  # of the loss that is seen: an empty answer needs no outcomes to be told from a good one
_HALF_TRUSTED = 10.0  # outcomes of a model's drafts, with which they say as much as the signs do


def no_outcomes() -> Statistics:
    """To which `add(answer_design(...), reward)` is said for each draft of one model whose reward in 0..1 is known."""
    return Statistics.empty(DIMENSIONS)


def solve_verifier(statistics: Mapping[str, Statistics], version: int) -> Learned:
    """By draft model, the weights of a ridge around what the signs say. Off the path of requests: about 30 ms each."""
    prior = believing_signs()
    weights = {model: around(prior, sums) for model, sums in statistics.items()}
    labels = {model: sums.labels for model, sums in statistics.items()}
    return Learned(version, ANSWER_DESIGN, prior, weights, labels)


def expected_loss(learned: Learned | None, model: str, row: Design) -> float:
    """0..1: how probable it is that the model's draft is not good enough. `row` is its answer_design."""
    seen = float(row[LOSS])
    if learned is None or learned.design != ANSWER_DESIGN or model not in learned.weights or certain(row):
        return seen
    trust = learned.labels[model] / (learned.labels[model] + _HALF_TRUSTED)
    return trust * float(np.clip(1 - row @ learned.weights[model], 0, 1)) + (1 - trust) * seen


def certain(row: Design) -> bool:
    """Whether what is to be seen on a draft settles it: nothing that is learned changes that."""
    return float(row[LOSS]) >= _CERTAIN


def believing_signs() -> Weights:
    """Quality = 1 - loss, as the signs have it."""
    weights = np.zeros(DIMENSIONS, dtype=np.float32)
    weights[INTERCEPT], weights[LOSS] = 1.0, -1.0
    return weights


def around(prior: Weights, sums: Statistics) -> Weights:
    """The posterior mean of weights that are normal around `prior`, with outcomes of one model."""
    certainty = np.full(DIMENSIONS, _CERTAINTY)
    certainty[INTERCEPT] = _CERTAINTY_OF_CONSTANT
    told = sums.products - sums.moments @ prior
    return (prior + np.linalg.solve(sums.moments + np.diag(certainty), told)).astype(np.float32)
