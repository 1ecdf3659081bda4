"""What a learner makes of new outcomes: sums that are brought up to date, and what is remembered of each outcome. Pure.

The learner's clock grows with every outcome of any model: what was learned at clock c counts for exp(c - clock).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import exp
from types import MappingProxyType
from typing import NamedTuple

import structlog

from aico.routing.learner.design import DESIGN, DIMENSIONS, Design
from aico.routing.learner.kept import restored
from aico.routing.learner.learned import UnreadableLearning
from aico.routing.learner.statistics import Statistics
from aico.routing.verifier.answer_design import ANSWER_DESIGN
from aico.routing.verifier.answer_design import DIMENSIONS as OF_DRAFT
from aico.routing.verifier.kept import restored_draft
from aico.routing.verifier.learning import certain
from aico.store.learner import Kind, StoredStatistics
from aico.store.lessons import Mark, NewOutcome
from aico.store.outcomes import Source

log = structlog.get_logger()

# What an outcome counts for. Signs that nobody asked for are guesses, and there are only bad ones.
WEIGHTS: Mapping[Source, float] = MappingProxyType({Source.IMPLICIT: 0.3, Source.JUDGE: 1.0, Source.USER: 1.0})

_NOTHING = 1e-6  # what counts for less has been forgotten
_TIE = 0.5  # as a judge says it
_DESIGNS = {Kind.MODEL: (DESIGN, DIMENSIONS), Kind.DRAFT: (ANSWER_DESIGN, OF_DRAFT)}


class Label(NamedTuple):
    quality: float
    weight: float


@dataclass
class Sums:
    """Of one model. `changed`: to be stored again."""

    statistics: Statistics
    tasks: dict[str, tuple[int, float]] = field(default_factory=dict)  # outcomes and the sum of their qualities
    changed: bool = False

    def add(self, task: str, x: Design, label: Label, age: float) -> None:
        """`age` in 0..1 is what is left of an outcome of that age."""
        self.statistics.add(x, label.quality, label.weight * age)
        self._count(task, 1, label.quality)

    def correct(self, task: str, x: Design, old: Label, new: Label, age: float) -> None:
        """`new` weighs no less than `old`."""
        self.statistics.correct(x, old.quality, new.quality, old.weight * age)
        if new.weight > old.weight:
            self.statistics.add(x, new.quality, (new.weight - old.weight) * age)
        self._count(task, 0, new.quality - old.quality)

    def _count(self, task: str, outcomes: int, quality: float) -> None:
        counted, summed = self.tasks.get(task, (0, 0.0))
        self.tasks[task] = counted + outcomes, summed + quality
        self.changed = True


AllSums = dict[tuple[Kind, str], Sums]  # by what they are of, and model


def of_kind(sums: AllSums, kind: Kind) -> dict[str, Statistics]:
    return {model: one.statistics for (its, model), one in sums.items() if its is kind}


def opened(stored: Sequence[StoredStatistics], clock: float) -> AllSums:
    """As they are at `clock`. Those of another design, or damaged, begin anew with their first outcome."""
    found = {}
    for one in stored:
        design, dimensions = _DESIGNS[one.kind]
        try:
            statistics = Statistics.decoded(one.data, dimensions) if one.design == design else None
        except UnreadableLearning as error:
            log.warning("statistics_unreadable", kind=one.kind.value, model=one.model, error=error.detail)
            statistics = None
        if statistics is not None:
            statistics.forget(exp(one.clock - clock))
            found[one.kind, one.model] = Sums(statistics, dict(one.tasks))
    return found


@dataclass(frozen=True)
class _Read:
    """An outcome with the numbers that it is about; None: not known."""

    outcome: NewOutcome
    prompt: Design | None
    draft: Design | None

    @classmethod
    def of(cls, outcome: NewOutcome, models: AbstractSet[str]) -> "_Read":
        kept, draft = outcome.prompt, outcome.draft
        if kept is None or outcome.model not in models:
            return cls(outcome, None, None)
        prompt = restored(kept.design, kept.features, kept.vector)
        if prompt is None or draft is None:
            return cls(outcome, prompt, None)
        return cls(outcome, prompt, restored_draft(draft.design, draft.features, prompt))

    def x(self, kind: Kind) -> Design | None:
        return self.prompt if kind is Kind.MODEL else self.draft

    def label(self, kind: Kind, source: Source, quality: float, weight: float) -> Label | None:
        """What it teaches where it is judged like this; None: nothing."""
        if self.x(kind) is None or (source is Source.IMPLICIT and not self._heeded(kind)):
            return None
        if kind is Kind.DRAFT and source is Source.JUDGE and quality >= _TIE:
            return Label(1.0, weight)  # nothing would have been gained by asking the other model
        return Label(quality, weight)

    def _heeded(self, kind: Kind) -> bool:
        """Whether signs that nobody asked for teach this.

        Not what drafts are good for: that they are bad is all such signs could say, and most often the check says it
        itself. Nor what a model is good for, where the check alone has rejected its draft; what it would find without
        anything learned is no echo.
        """
        overruled = self.outcome.draft is not None and not self.outcome.draft.served
        return kind is Kind.MODEL and (not overruled or (self.draft is not None and certain(self.draft)))


def learn(
    sums: AllSums, outcomes: Sequence[NewOutcome], models: AbstractSet[str], clock: float, memory: float
) -> tuple[float, list[Mark]]:
    """Take outcomes of `models` into `sums`; the clock afterwards, and the marks of all outcomes.

    After `memory` further outcomes one counts for 1/e of a new one. Where nothing can be learned, as no decision is
    known or one of another design, that is what the mark says.
    """
    lessons = [_Read.of(outcome, models) for outcome in outcomes]
    passed = sum(_teaches(one) and _known(one.outcome, clock) is None for one in lessons) / memory
    if passed:
        for each in sums.values():
            each.statistics.forget(exp(-passed))
    clock += passed
    return clock, [_take(sums, one, clock) for one in lessons]


def _teaches(read: _Read) -> bool:
    outcome = read.outcome
    return any(read.label(kind, outcome.source, outcome.quality, 1.0) is not None for kind in Kind)


def _known(outcome: NewOutcome, clock: float) -> Mark | None:
    """As what it is in the sums; None: it is not, or is forgotten."""
    known = outcome.learned
    if known is None or known.clock is None or exp(known.clock - clock) < _NOTHING:
        return None
    return known


def _take(sums: AllSums, read: _Read, clock: float) -> Mark:
    """A corrected outcome stays as old as it was, and never weighs less than it did."""
    outcome, known = read.outcome, _known(read.outcome, clock)
    weight, since = WEIGHTS[outcome.source], clock
    if known is not None and known.clock is not None:
        weight, since = max(weight, known.weight), known.clock
    taught = False
    for kind in Kind:
        x, new = read.x(kind), read.label(kind, outcome.source, outcome.quality, weight)
        if x is None or new is None:
            continue
        old = None if known is None else read.label(kind, known.source, known.quality, known.weight)
        held = sums.setdefault((kind, outcome.model), Sums(Statistics.empty(_DESIGNS[kind][1])))
        task, age, taught = outcome.task or "", exp(since - clock), True
        held.add(task, x, new, age) if old is None else held.correct(task, x, old, new, age)
    return Mark(outcome.job, outcome.model, outcome.quality, outcome.source, weight, since if taught else None)


def changed(sums: AllSums, clock: float) -> list[StoredStatistics]:
    """What is to be stored again: the others are as they were, but for what the clock says."""
    return [
        StoredStatistics(
            model, _DESIGNS[kind][0], one.statistics.encoded(), one.statistics.labels, clock, one.tasks, kind
        )
        for (kind, model), one in sums.items()
        if one.changed
    ]
