"""Choosing among nine models: what the best single model's quality costs where each prompt has its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aico.routing.strategies.hybrid import HybridStrategy
from aico.routing.strategies.learning import LearningStrategy
from bench.routing.metrics import AmongMany, among_many
from bench.routing.offline import Indices, split, teach
from bench.routing.tables import Numbers, Table

_AIM_AT_BEST, _AIM_AT_95 = 0.40, 0.19


@dataclass(frozen=True, slots=True)
class ManyRow:
    router: str
    labels: int
    seeds: int
    at_best: float | None  # cost of the best single model's quality, relative to its cost; None: not always reached
    at_95: float | None
    highest: float
    aim: str = ""
    met: bool | None = None


def rows(table: Table, seeds: int) -> Iterator[ManyRow]:
    labels = table.shape.most_labels
    tested = [split(table, labels, seed) for seed in range(seeds)]
    quality = np.stack(list(table.scores.values()), axis=1)
    prices = list(table.shape.prices.values())

    def measured(router: str, expected: Sequence[Numbers], labels: int = labels) -> ManyRow:
        found = [among_many(each, quality[unseen], prices) for each, (_, unseen) in zip(expected, tested, strict=True)]
        return _row(router, labels, found)

    yield measured(
        "global means", [np.tile(quality[taught].mean(axis=0), (len(unseen), 1)) for taught, unseen in tested]
    )
    for name, make in (("learning", LearningStrategy), ("hybrid", HybridStrategy)):
        yield _aimed(measured(name, [_expected(make, table, taught, unseen) for taught, unseen in tested]))
    yield measured("oracle", [quality[unseen] for _, unseen in tested], labels=0)


def _expected(make: type[LearningStrategy | HybridStrategy], table: Table, taught: Indices, unseen: Indices) -> Numbers:
    models = tuple(table.shape.prices)
    strategy = make(models)
    teach(strategy, table, taught, models)
    return np.array([list(strategy.expected(table.features[prompt]).values()) for prompt in unseen])


def _row(router: str, labels: int, found: Sequence[AmongMany]) -> ManyRow:
    return ManyRow(
        router,
        labels,
        len(found),
        _mean([one.at_best for one in found]),
        _mean([one.at_95 for one in found]),
        float(np.mean([one.highest for one in found])),
    )


def _mean(costs: Sequence[float | None]) -> float | None:
    reached = [cost for cost in costs if cost is not None]
    return float(np.mean(reached)) if len(reached) == len(costs) else None


def _aimed(one: ManyRow) -> ManyRow:
    met = one.at_best is not None and one.at_best <= _AIM_AT_BEST and one.at_95 is not None and one.at_95 <= _AIM_AT_95
    return ManyRow(
        *(one.router, one.labels, one.seeds, one.at_best, one.at_95, one.highest),
        aim=f"<= {_AIM_AT_BEST:.2f}, <= {_AIM_AT_95:.2f}",
        met=met,
    )
