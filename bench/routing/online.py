"""Strategies that start with nothing and see the outcome of the chosen model alone, prompt after prompt.

Half of the prompts go to the strong model: those that score above the median of the last few hundred scores. A few
choices are left to chance. A prompt's score is the one that it had before its outcome was seen.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from bench.routing.metrics import Recovered, recovered
from bench.routing.offline import TAUGHT, UNTAUGHT, Indices, Scores
from bench.routing.row import Row, row
from bench.routing.tables import Numbers, Table

_EXPLORED = 0.04
_WINDOW = 300
_AT_FIRST = 20  # choices by chance
_AIMS: Mapping[str, float] = MappingProxyType({"mmlu": 0.605, "gsm8k": 0.62, "nine": 0.69})


def rows(table: Table, seeds: int) -> Iterator[Row]:
    pair = (table.shape.weak, table.shape.strong)
    for name, make in {**UNTAUGHT, **TAUGHT}.items():
        whole, late = [], []
        for seed in range(seeds):
            order = np.random.default_rng(1000 + seed).permutation(len(table.prompts))
            scores = stream(make(seed, pair), table, order, seed)
            half = len(order) // 2
            whole.append(_measured(scores, table, order))
            late.append(_measured(scores[half:], table, order[half:]))
        aim = _AIMS[table.name] if name == "learning" else None
        yield row(table.name, name, "online, whole", whole)
        yield row(table.name, name, "online, last half", late, aim)


def stream(strategy: Scores, table: Table, order: Indices, seed: int) -> Numbers:
    """The score of each prompt in `order`, at its turn."""
    random = np.random.default_rng(seed)
    recent: deque[float] = deque(maxlen=_WINDOW)
    scores = []
    for turn, prompt in enumerate(order):
        score = strategy.score(table.features[prompt])
        scores.append(score)
        strong = random.random() < 0.5 if turn < _AT_FIRST else score >= np.median(recent)
        recent.append(score)
        if random.random() < _EXPLORED:
            strong = random.random() < 0.5
        model = table.shape.strong if strong else table.shape.weak
        strategy.update(table.features[prompt], model, float(table.scores[model][prompt]))
    return np.array(scores)


def _measured(scores: Numbers, table: Table, prompts: Indices) -> Recovered:
    return recovered(scores, table.weak[prompts], table.strong[prompts], table.prices)
