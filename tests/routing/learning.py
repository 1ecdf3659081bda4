"""A small world to learn in: prompts about code and prompts about anything else, and models that do well on either."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache

import numpy as np

from aico.routing.features import Features, features_of
from aico.routing.learner.design import design
from aico.routing.learner.frontier import RecentAsk
from aico.routing.learner.learned import Learned
from aico.routing.learner.solving import solve
from aico.routing.learner.statistics import Statistics
from aico.routing.models import Model
from aico.routing.strategies.protocol import Ask, Decision, PricedModel, RoutingPolicy, Strategy

CENTS = {"cheap": 1.0, "coder": 3.0, "dear": 20.0}
RANKS = {"cheap": 0.3, "coder": 0.5, "dear": 0.9}
CODE, PLAIN = "Write a python function that adds {} and {}", "Who was older, person {} or person {}?"


def prompts(count: int, seed: int = 0) -> list[Features]:
    """Half of them about code, each with a vector of its own."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        vector = random.normal(size=384).astype(np.float32)
        text = (CODE, PLAIN)[number % 2].format(number, random.integers(100))
        found.append(features_of(text, vector / np.float32(np.linalg.norm(vector))))
    return found


def about_code(features: Features) -> bool:
    return features.code_marks > 0


def quality(model: str, features: Features) -> float:
    """`cheap` fails at code, `coder` fails at all else, `dear` does everything."""
    code = about_code(features)
    return {"cheap": 0.05 if code else 0.97, "coder": 0.97 if code else 0.05, "dear": 0.92}[model]


def taught(asked: Sequence[Features], models: Sequence[str] = tuple(CENTS)) -> dict[str, Statistics]:
    statistics = {model: Statistics.empty() for model in models}
    for features in asked:
        for model, sums in statistics.items():
            sums.add(design(features), quality(model, features))
    return statistics


def recent(asked: Sequence[Features], cents: Mapping[str, float] | None = None) -> list[RecentAsk]:
    return [RecentAsk(design(features).astype(np.float16), cents or CENTS) for features in asked]


@cache
def learned_of(count: int = 200) -> Learned:
    asked = prompts(count)
    return solve(taught(asked), recent(asked), RANKS, version=7)


def shelf(make_model: Callable[..., Model]) -> tuple[PricedModel, ...]:
    return tuple(
        PricedModel(make_model(model, quality=RANKS[model]), Decimal(str(cents))) for model, cents in CENTS.items()
    )


def decided(strategy: Strategy, ask: Ask, **policy: object) -> Decision:
    return strategy.decide(replace(ask, policy=replace(RoutingPolicy(), **policy)))  # type: ignore[arg-type] # fields
