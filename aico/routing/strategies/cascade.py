"""A cheap model drafts the answer, the draft is checked, and a better model is asked where that is worth its price.

Escalating pays where the expected loss of quality exceeds the price of the next call:

    loss of the draft * quality expected of the next model > price of quality * US cents of the next call

The price of quality (quality in 0..1 per cent) is what the tenant's outcomes taught. Before there are any, it is the
rate at which the catalogue sells quality between the two models: the difference of their ranks over that of their
prices.

Decisions need no state. Outside the service, an instance that is told a pair of models learns from outcomes:
`score(drafted(prompt, answer, vector))` ranks prompts by what the better model is expected to gain over the draft, and
`update(drafted(prompt, answer, vector), model, reward)` tells how good an answer was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from aico.core.chat import AUTO_MODEL
from aico.routing.difficulty import assess
from aico.routing.learner.design import INTERCEPT, SCORE
from aico.routing.learner.learned import Learned, Weights
from aico.routing.learner.solving import prior_weights
from aico.routing.models import Capability
from aico.routing.strategies.complexity import ComplexityStrategy, needed_quality, ordered
from aico.routing.strategies.protocol import Ask, Decision, PricedModel, able, permitted
from aico.routing.strategies.valuing import TARGET, expectations, shown, usable, valued
from aico.routing.verifier.answer_design import DIMENSIONS
from aico.routing.verifier.drafts import Check, Drafted
from aico.routing.verifier.learning import around, expected_loss, no_outcomes, solve_verifier

STRATEGY = "cascade"
POLICY_VERSION = "cascade-1"

_NO_DRAFTS = frozenset({Capability.CHOICES, Capability.LOGPROBS})  # several answers, and insight into one model's
_DEMANDING = 1.0  # the score of a request whose model answers where a draft did not pass
_MOST_SHARE = Decimal("0.8")  # of the better model's price that draft and expected escalations may take together
_UNSEEN = 0.5  # of bad drafts show no sign
_LEAST_ENOUGH = 0.5  # a draft that is more often replaced than not is not worth its time
_LEAST_QUALITY = 0.5  # of the better model, for what a draft may lose
_PRESUMED = (0.25, 0.5)  # between which lies what a draft may lose, as long as the catalogue alone says so
_LEARNED = (0.05, 0.9)  # likewise where outcomes do; with more it is no answer at all


class CascadeStrategy:
    def __init__(self, models: Sequence[str] = ("draft", "better")) -> None:
        """`models`: which one drafts, and which one is asked after it. Decisions do without; they name their own."""
        self._draft, self._better = models
        self._statistics = {model: no_outcomes() for model in models}
        self._solved: _Solved | None = None

    def decide(self, ask: Ask) -> Decision:
        """See Strategy.decide. What a draft is of no use for is decided by how demanding it looks."""
        if ask.policy.model != AUTO_MODEL or ask.features.needs & _NO_DRAFTS:
            return ComplexityStrategy().decide(ask)
        models = permitted(able(ask.features, ask.models), ask.policy)
        order = ordered(models, needed_quality(_DEMANDING))
        plan = _plan(ask, models, next(priced for priced in models if priced.model is order[0]))
        if plan is None:
            direct = ComplexityStrategy().decide(ask)
            reasons = ("no draft would save enough", *direct.reasons)
            return replace(direct, strategy=STRATEGY, reasons=reasons, policy_version=_version(ask))
        draft, better = plan.draft.model, plan.better.model
        return Decision(
            (draft, *(model for model in order if model is not draft)),
            STRATEGY,
            assess(ask.features)[0],
            "medium",
            (
                f"a draft by {draft.id}: quality {plan.quality:.2f} is expected",
                f"an answer by {better.id} where more than {plan.most_loss:.2f} is expected to be lost",
            ),
            _version(ask),
            expected={draft.id: plan.quality, better.id: plan.better_quality},
            check=Check(plan.most_loss, plan.usual_loss, ask.verifier),
        )

    def score(self, features: Drafted) -> float:
        """What asking the better model is expected to gain over the draft, 0..1. The higher, the sooner it is asked."""
        row = features.design()
        solved = self._solved or self.solve()
        return expected_loss(solved.verifier, self._draft, row) * float(np.clip(row @ solved.better, 0, 1))

    def update(self, features: Drafted, model: str, reward: float) -> None:
        """`reward` in 0..1 is how good the answer of `model` was. Raises KeyError for a model that was not named.

        For the better model too `features` hold the draft: it tells how demanding the prompt was.
        """
        self._statistics[model].add(features.design(), reward)
        self._solved = None

    def solve(self) -> "_Solved":
        """Takes in all outcomes so far: 20 to 40 ms. `score` does so where anything is new."""
        draft, better = self._statistics[self._draft], self._statistics[self._better]
        prior = np.zeros(DIMENSIONS, dtype=np.float32)
        prior[INTERCEPT] = _suggested(needed_quality(_DEMANDING), 0.0)
        self._solved = _Solved(solve_verifier({self._draft: draft}, 0), around(prior, better))
        return self._solved


@dataclass(frozen=True)
class _Solved:
    verifier: Learned
    better: Weights  # over the design of a draft: the quality of the better model's answer to the same prompt


def _version(ask: Ask) -> str:
    known = ask.learned or ask.verifier
    return POLICY_VERSION if known is None else f"{POLICY_VERSION}/learned-{known.version}"


@dataclass(frozen=True)
class _Plan:
    draft: PricedModel
    better: PricedModel
    quality: float  # expected of the draft
    better_quality: float
    enough: float  # 0..1, how probable it is that asking the better model would gain nothing
    usual_loss: float  # of a draft on which nothing is to be seen
    most_loss: float  # that a draft may have

    @property
    def pays(self) -> bool:
        likely = self.enough >= _LEAST_ENOUGH and self.usual_loss < self.most_loss
        return likely and self.cents <= _MOST_SHARE * _known(self.better)

    @property
    def cents(self) -> Decimal:
        """Expected: the draft, and the better model where the draft fails."""
        return _known(self.draft) + Decimal(1 - self.enough) * _known(self.better)


def _plan(ask: Ask, models: Sequence[PricedModel], better: PricedModel) -> _Plan | None:
    """The draft that makes the answer cheapest; None where none saves enough, or hardly any would be accepted."""
    if not better.cents:
        return None
    learned = usable(ask.learned)
    qualities = _qualities(ask, models, learned)
    plans = [
        _planned(ask, priced, better, qualities, learned)
        for priced in models
        if priced.cents is not None
        and priced.model.quality < better.model.quality
        and (ask.policy.max_cents is None or priced.cents + better.cents <= ask.policy.max_cents)
    ]
    worth = [plan for plan in plans if plan.pays]
    return min(worth, key=lambda plan: (plan.cents, -plan.quality, plan.draft.model.id), default=None)


def _qualities(ask: Ask, models: Sequence[PricedModel], learned: Learned | None) -> Mapping[str, float]:
    """What is expected of each model on this prompt: by outcomes, and as long as there are few by its rank."""
    if learned is None:
        score = assess(ask.features)[0]
        return {priced.model.id: _suggested(priced.model.quality, score) for priced in models}
    return expectations(valued(learned, ask.features, models, _target(ask)))


def _planned(
    ask: Ask, draft: PricedModel, better: PricedModel, qualities: Mapping[str, float], learned: Learned | None
) -> _Plan:
    quality, better_quality = qualities[draft.model.id], qualities[better.model.id]
    price, (least, most) = None if learned is None else learned.price(_target(ask)), _LEARNED
    if price is None:
        price, (least, most) = _listed_price(draft, better), _PRESUMED
    lost = price * float(_known(better)) / max(better_quality, _LEAST_QUALITY)
    # What was judged against another answer has a quality of 0.5 where both are as good: only the difference counts.
    enough = quality if learned is None else 1 - max(0.0, better_quality - quality)
    return _Plan(draft, better, quality, better_quality, enough, (1 - enough) * _UNSEEN, min(most, max(least, lost)))


def _listed_price(draft: PricedModel, better: PricedModel) -> float:
    """Of quality, in quality per cent: what the catalogue sells between the two models."""
    dearer = float(_known(better) - _known(draft))
    return (better.model.quality - draft.model.quality) / dearer if dearer > 0 else 0.0


def _suggested(rank: float, score: float) -> float:
    """Of a model of that rank: the less the more demanding a prompt looks."""
    weights = prior_weights(rank)
    return shown(float(weights[INTERCEPT] + score * weights[SCORE]))


def _target(ask: Ask) -> float:
    return TARGET if ask.policy.quality_target is None else ask.policy.quality_target


def _known(priced: PricedModel) -> Decimal:
    return priced.cents or Decimal(0)
