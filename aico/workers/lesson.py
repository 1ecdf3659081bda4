"""What a learner makes of new outcomes: sums that are brought up to date, and what is remembered of each outcome. Pure.

The learner's clock grows with every outcome of any model: what was learned at clock c counts for exp(c - clock).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import exp

import structlog

from aico.routing.learner.design import DESIGN, Design
from aico.routing.learner.kept import restored
from aico.routing.learner.learned import UnreadableLearning
from aico.routing.learner.statistics import Statistics
from aico.store.learner import Mark, NewOutcome, Prompt, StoredStatistics

log = structlog.get_logger()

_NOTHING = 1e-6  # what counts for less has been forgotten


@dataclass
class Sums:
    """Of one model. `changed`: to be stored again."""

    statistics: Statistics
    tasks: dict[str, tuple[int, float]] = field(default_factory=dict)  # outcomes and the sum of their qualities
    changed: bool = False

    def add(self, task: str, x: Design, quality: float) -> None:
        self.statistics.add(x, quality)
        self._count(task, 1, quality)

    def correct(self, task: str, x: Design, old: float, new: float, weight: float) -> None:
        self.statistics.correct(x, old, new, weight)
        self._count(task, 0, new - old)

    def _count(self, task: str, outcomes: int, quality: float) -> None:
        counted, summed = self.tasks.get(task, (0, 0.0))
        self.tasks[task] = counted + outcomes, summed + quality
        self.changed = True


def opened(stored: Sequence[StoredStatistics], clock: float) -> dict[str, Sums]:
    """By model, as they are at `clock`. Those of another design, or damaged, begin anew with their first outcome."""
    found = {}
    for one in stored:
        try:
            statistics = Statistics.decoded(one.data) if one.design == DESIGN else None
        except UnreadableLearning as error:
            log.warning("statistics_unreadable", model=one.model, error=error.detail)
            statistics = None
        if statistics is not None:
            statistics.forget(exp(one.clock - clock))
            found[one.model] = Sums(statistics, dict(one.tasks))
    return found


def learn(
    sums: dict[str, Sums], outcomes: Sequence[NewOutcome], models: AbstractSet[str], clock: float, memory: float
) -> tuple[float, list[Mark]]:
    """Take outcomes of `models` into `sums`; the clock afterwards, and the marks of all outcomes.

    After `memory` further outcomes one counts for 1/e of a new one. Where nothing can be learned, as no decision is
    known or one of another design, that is what the mark says.
    """
    lessons = [(outcome, _x(outcome.prompt) if outcome.model in models else None) for outcome in outcomes]
    passed = sum(x is not None and _is_new(outcome, clock) for outcome, x in lessons) / memory
    if passed:
        for one in sums.values():
            one.statistics.forget(exp(-passed))
    clock += passed
    for outcome, x in lessons:
        if x is not None:
            _take(sums.setdefault(outcome.model, Sums(Statistics.empty())), outcome, x, clock)
    return clock, [_mark(outcome, None if x is None else _clock_of(outcome, clock)) for outcome, x in lessons]


def _take(sums: Sums, outcome: NewOutcome, x: Design, clock: float) -> None:
    task, known = outcome.task or "", outcome.learned_quality
    if known is None or _is_new(outcome, clock) or outcome.learned_clock is None:
        sums.add(task, x, outcome.quality)
    else:
        sums.correct(task, x, known, outcome.quality, exp(outcome.learned_clock - clock))


def _is_new(outcome: NewOutcome, clock: float) -> bool:
    return outcome.learned_clock is None or exp(outcome.learned_clock - clock) < _NOTHING


def _clock_of(outcome: NewOutcome, clock: float) -> float:
    """A corrected outcome stays as old as it was."""
    return clock if outcome.learned_clock is None or _is_new(outcome, clock) else outcome.learned_clock


def _mark(outcome: NewOutcome, clock: float | None) -> Mark:
    return Mark(outcome.job, outcome.model, outcome.quality, clock)


def _x(prompt: Prompt | None) -> Design | None:
    return None if prompt is None else restored(prompt.design, prompt.features, prompt.vector)


def changed(sums: Mapping[str, Sums], clock: float) -> list[StoredStatistics]:
    """What is to be stored again: the others are as they were, but for what the clock says."""
    return [
        StoredStatistics(model, DESIGN, one.statistics.encoded(), one.statistics.labels, clock, one.tasks)
        for model, one in sums.items()
        if one.changed
    ]
