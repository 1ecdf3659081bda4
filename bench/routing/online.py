"""Strategies that start with nothing and see the outcome of the chosen model alone, prompt after prompt.

Half of the prompts go to the strong model: those that score above the median of the last few hundred scores. A few
choices are left to chance. A prompt's score is the one that it had before its outcome was seen.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from bench.routing.metrics import Recovered, recovered
from bench.routing.offline import TAUGHT, UNTAUGHT, Indices, Make, Scores
from bench.routing.row import Row, row
from bench.routing.tables import Numbers, Table

_EXPLORED = 0.04
_WINDOW = 300
_AT_FIRST = 20  # choices by chance
_PAIRED = 0.1
_AIMS: Mapping[str, float] = MappingProxyType({"mmlu": 0.605, "gsm8k": 0.62, "nine": 0.69})


def rows(table: Table, seeds: int) -> Iterator[Row]:
    for name, make in {**UNTAUGHT, **TAUGHT}.items():
        aim = _AIMS[table.name] if name == "learning" else None
        yield from streamed(table, name, "online", make, seeds, aim=aim)
    for name, make in TAUGHT.items():
        yield from streamed(table, name, f"online, {_PAIRED:.0%} pairs", make, seeds, paired=_PAIRED)


def streamed(
    table: Table, name: str, setting: str, make: Make, seeds: int, *, paired: float = 0.0, aim: float | None = None
) -> Iterator[Row]:
    """Of the whole stream and of its last half. The table's own order is one of blocks that are each shuffled."""
    whole, late = [], []
    for seed in range(seeds):
        random = np.random.default_rng(1000 + seed)
        order = np.concatenate([random.permutation(block) for block in table.blocks])
        scores = stream(make(seed, (table.shape.weak, table.shape.strong)), table, order, seed, paired)
        half = len(order) // 2
        whole.append(_measured(scores, table, order))
        late.append(_measured(scores[half:], table, order[half:]))
    yield row(table.name, name, f"{setting}, whole", whole)
    yield row(table.name, name, f"{setting}, last half", late, aim)


def stream(strategy: Scores, table: Table, order: Indices, seed: int, paired: float) -> Numbers:
    """The score of each prompt in `order`, at its turn. Of a share of `paired` both models' outcomes are seen."""
    random, of_pairs = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    recent: deque[float] = deque(maxlen=_WINDOW)
    scores = []
    for turn, prompt in enumerate(order):
        score = strategy.score(table.features[prompt])
        scores.append(score)
        strong = random.random() < 0.5 if turn < _AT_FIRST else score >= np.median(recent)
        recent.append(score)
        if random.random() < _EXPLORED:
            strong = random.random() < 0.5
        models = (table.shape.strong, table.shape.weak)
        seen = models if of_pairs.random() < paired else models[:1] if strong else models[1:]
        for model in seen:
            strategy.update(table.features[prompt], model, float(table.scores[model][prompt]))
    return np.array(scores)


def _measured(scores: Numbers, table: Table, prompts: Indices) -> Recovered:
    return recovered(scores, table.weak[prompts], table.strong[prompts], table.prices)
