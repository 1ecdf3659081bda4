"""Traffic that changes from one day to the next: what a learner's memory is worth when its old outcomes mislead it."""

from collections.abc import Iterator, Sequence
from functools import partial

from aico.routing.strategies.hybrid import HybridStrategy
from aico.routing.strategies.learning import LearningStrategy
from aico.routing.strategies.standalone import MEMORY
from bench.routing.offline import UNTAUGHT, Scores
from bench.routing.online import streamed
from bench.routing.row import Row
from bench.routing.tables import Table, one_after_the_other

_MEMORIES = {"": MEMORY, ", forgets fast": 1000, ", never forgets": 10**9}  # outcomes


def rows(first: Table, second: Table, seeds: int) -> Iterator[Row]:
    table = one_after_the_other(f"{first.name}, then {second.name}", first, second)
    for name, make in UNTAUGHT.items():
        yield from streamed(table, name, "online", make, seeds)
    for name, kind in (("learning", LearningStrategy), ("hybrid", HybridStrategy)):
        for how, memory in _MEMORIES.items():
            yield from streamed(table, name + how, "online", partial(_make, kind, memory), seeds)


def _make(kind: type[LearningStrategy | HybridStrategy], memory: int, _: int, models: Sequence[str]) -> Scores:
    return kind(models, memory)
