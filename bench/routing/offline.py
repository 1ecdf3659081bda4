"""Strategies that were taught before: both models' outcomes on some prompts, measured on prompts they never saw."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aico.routing.features import Features
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.hybrid import HybridStrategy
from aico.routing.strategies.learning import LearningStrategy
from bench.routing.metrics import Recovered, recovered
from bench.routing.row import Row, row
from bench.routing.tables import Table

_FEW = 300  # labels, from which on no strategy may be worse than the length of the prompt
_TOLERATED = 0.01
_AIMS: Mapping[str, float] = MappingProxyType({"mmlu": 0.65, "gsm8k": 0.63, "nine": 0.72})
Indices = NDArray[np.int64]


class Scores(Protocol):
    def score(self, features: Features) -> float: ...

    def update(self, features: Features, model: str, reward: float) -> None: ...


class Random:
    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def score(self, features: Features) -> float:  # noqa: ARG002 - as all strategies
        return float(self._random.random())

    def update(self, features: Features, model: str, reward: float) -> None: ...


class Length:
    def score(self, features: Features) -> float:
        return float(features.question_chars)

    def update(self, features: Features, model: str, reward: float) -> None: ...


Make = Callable[[int, Sequence[str]], Scores]

# Each is made anew for a seed and the models, from the weak to the strong one.
UNTAUGHT: Mapping[str, Make] = MappingProxyType(
    {
        "random": lambda seed, _: Random(seed),
        "prompt length": lambda _seed, _: Length(),
        "complexity": lambda _seed, _: ComplexityStrategy(),
    }
)
TAUGHT: Mapping[str, Make] = MappingProxyType(
    {
        "learning": lambda _, models: LearningStrategy(models),
        "hybrid": lambda _, models: HybridStrategy(models),
    }
)


def rows(table: Table, seeds: int) -> Iterator[Row]:
    pair = (table.shape.weak, table.shape.strong)
    for labels in (_FEW, table.shape.most_labels):
        setting, tested = f"{labels} labels", [split(table, labels, seed) for seed in range(seeds)]
        floor = 0.0
        for name, make in {**UNTAUGHT, **TAUGHT}.items():
            found = []
            for seed, (taught, unseen) in enumerate(tested):
                strategy = make(seed, pair)
                teach(strategy, table, taught, pair)
                found.append(measured(strategy, table, unseen))
            one = row(table.name, name, setting, found, _aim(table, labels, name, floor))
            floor = one.apgr - _TOLERATED if name == "prompt length" else floor
            yield one


def _aim(table: Table, labels: int, name: str, floor: float) -> float | None:
    if name not in TAUGHT:
        return None
    return _AIMS[table.name] if name == "learning" and labels == table.shape.most_labels else floor


def split(table: Table, labels: int, seed: int) -> tuple[Indices, Indices]:
    """Prompts to be taught, and all others."""
    order = np.random.default_rng(seed).permutation(len(table.prompts))
    return order[:labels], order[labels:]


def teach(strategy: Scores, table: Table, prompts: Indices, models: Sequence[str]) -> None:
    for prompt in prompts:
        for model in models:
            strategy.update(table.features[prompt], model, float(table.scores[model][prompt]))


def measured(strategy: Scores, table: Table, prompts: Indices) -> Recovered:
    scores = np.array([strategy.score(table.features[prompt]) for prompt in prompts])
    return recovered(scores, table.weak[prompts], table.strong[prompts], table.prices)
