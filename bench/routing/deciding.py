"""CPU time of one decision: of a whole one among nine models, of a score, and of reading a prompt's cheap features."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from aico.routing.features import features_of
from aico.routing.learner.design import design
from aico.routing.learner.frontier import RecentAsk
from aico.routing.learner.solving import solve
from aico.routing.learner.statistics import Statistics
from aico.routing.models import Model
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.hybrid import HybridStrategy
from aico.routing.strategies.learning import LearningStrategy
from aico.routing.strategies.protocol import Ask, PricedModel
from bench.routing.tables import Table

_PROMPTS = 500
_AIM_MS = 0.3
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Cost:
    what: str
    cpu_ms: float  # mean, for one prompt
    aim: str = ""
    met: bool | None = None


def rows(table: Table) -> Iterator[Cost]:
    asks = _asks(table)
    texts = table.prompts[: len(asks)]
    yield Cost("features of the text, without vector", _mean_ms(features_of, texts))
    for strategy in (ComplexityStrategy(), LearningStrategy(), HybridStrategy()):
        spent = _mean_ms(strategy.decide, asks)
        name = type(strategy).__name__
        yield Cost(f"{name}.decide, nine models", spent, f"<= {_AIM_MS}", spent <= _AIM_MS)


def _asks(table: Table) -> list[Ask]:
    """Of prompts that the learner knows, which makes no difference to the time that a decision takes."""
    statistics = {model: Statistics.empty() for model in table.shape.prices}
    features = table.features[:_PROMPTS]
    for place, one in enumerate(features):
        for model, sums in statistics.items():
            sums.add(design(one), float(table.scores[model][place]))
    ranks = dict.fromkeys(statistics, 0.5)
    recent = [RecentAsk(design(one), dict(table.shape.prices)) for one in features]
    learned = solve(statistics, recent, ranks, version=1)
    models = [PricedModel(_model(model), Decimal(str(price))) for model, price in table.shape.prices.items()]
    return [Ask(one, models, learned=learned) for one in features]


def _model(name: str) -> Model:
    return Model(id=name, provider="bench", provider_model=name, quality=0.5, context_window=100_000, max_output=10_000)


def _mean_ms(what: Callable[[Given], object], given: Sequence[Given]) -> float:
    started = time.process_time()
    for thing in given:
        what(thing)
    return (time.process_time() - started) / len(given) * 1000
