"""Learns from outcomes, a tenant at a time: up to 1,000 of them, then weights are solved anew.

What a round changes is stored in one transaction under the fence of its claim, or not at all; a round that is cut off
is taken again when its lease has run out.
"""

import time
from collections.abc import Mapping
from functools import cache
from uuid import UUID

import structlog

from aico.routing.catalogue import Catalogue
from aico.routing.learner.design import DESIGN
from aico.routing.learner.frontier import RecentAsk
from aico.routing.learner.kept import restored
from aico.routing.learner.learned import Learned
from aico.routing.learner.solving import solve
from aico.routing.learner.statistics import Statistics
from aico.routing.strategies.standalone import MEMORY
from aico.routing.strategies.valuing import TARGET
from aico.routing.verifier.learning import solve_verifier
from aico.store import learner, lessons
from aico.store.learner import HeldLearner, Kind, Lesson, Solution, StoredStatistics
from aico.store.lessons import NewOutcome, PastAsk
from aico.store.scope import Scope
from aico.workers import lesson
from aico.workers.app import app
from aico.workers.lesson import AllSums
from aico.workers.queue import TaskName
from aico.workers.runtime import Runtime, get_runtime, patiently

log = structlog.get_logger()

LEASE_SECONDS = 60.0  # a round takes a few
OUTCOMES = 1000  # of a round
RECENT = 300  # decisions, on which is seen what quality costs
PAUSE_SECONDS = 5.0  # between a tenant's rounds, at least, unless more outcomes wait than one takes
PAUSES = 20.0  # and so many times what a round took: a tenant's learner takes a twentieth of a core at most


@cache
def ranks() -> Mapping[str, float]:
    """By model, of all that the catalogue knows."""
    return {model.id: model.quality for model in Catalogue.from_settings(get_runtime().settings).all_models}


@app.task(name=TaskName.LEARN.value)
def learn(tenant_id: str, _: str) -> None:
    """Does nothing when somebody else is at it or there is nothing to learn: a bell may ring twice."""
    work_on(get_runtime(), UUID(tenant_id), ranks())


def work_on(runtime: Runtime, tenant: UUID, ranks: Mapping[str, float]) -> None:
    claim = learner.claim(tenant, LEASE_SECONDS)
    for held in patiently(lambda: runtime.database.run(Scope.tenant(tenant), claim)):
        started = time.monotonic()
        stored, outcomes, recent = _read(runtime, held)
        made = made_of(held, stored, outcomes, recent, ranks)
        pause = max(PAUSE_SECONDS, PAUSES * (time.monotonic() - started))
        kept = _keep(runtime, held, made, 0.0 if len(outcomes) == OUTCOMES else pause)
        log.info(
            "lesson_lost" if kept is None else "learned",
            version=kept,
            outcomes=len(outcomes),
            passed_over=sum(mark.clock is None for mark in made.marks),
            seconds=round(time.monotonic() - started, 3),
        )


def _read(runtime: Runtime, held: HeldLearner) -> tuple[list[StoredStatistics], list[NewOutcome], list[PastAsk]]:
    scope, tenant = Scope.tenant(held.tenant), held.tenant
    database = runtime.database
    return (
        patiently(lambda: database.run(scope, learner.statistics(tenant))),
        patiently(lambda: database.run(scope, lessons.outcomes(tenant, limit=OUTCOMES))),
        patiently(lambda: database.run(scope, lessons.recent(tenant, limit=RECENT))),
    )


def _keep(runtime: Runtime, held: HeldLearner, made: Lesson, pause: float) -> int | None:
    """The newest version; None where somebody else has taken over, and nothing was stored."""
    statement = learner.keep(held, made, pause)
    kept = patiently(lambda: runtime.database.run(Scope.tenant(held.tenant), statement))
    return kept[0] if kept else None


def made_of(
    held: HeldLearner,
    stored: list[StoredStatistics],
    outcomes: list[NewOutcome],
    recent: list[PastAsk],
    ranks: Mapping[str, float],
) -> Lesson:
    """`ranks` are the qualities in 0..1 of the models that can be learned about. Pure."""
    sums = lesson.opened(stored, held.clock)
    clock, marks = lesson.learn(sums, outcomes, ranks.keys(), held.clock, MEMORY)
    changed = lesson.changed(sums, clock)
    solution = _solution(sums, recent, ranks, held.version + 1) if changed else None
    return Lesson(DESIGN, clock, changed, marks, solution)


def solved(
    statistics: Mapping[str, Statistics], recent: list[PastAsk], ranks: Mapping[str, float], version: int
) -> Learned:
    """Of the models that could be chosen lately or that somebody judged; a catalogue may hold hundreds of others."""
    seen = {model for ask in recent for model in ask.cents} | statistics.keys()
    asks = [
        RecentAsk(x, ask.cents)
        for ask in recent
        if (x := restored(ask.prompt.design, ask.prompt.features, ask.prompt.vector)) is not None
    ]
    return solve(statistics, asks, {model: rank for model, rank in ranks.items() if model in seen}, version)


def _solution(sums: AllSums, recent: list[PastAsk], ranks: Mapping[str, float], version: int) -> Solution:
    learned = solved(lesson.of_kind(sums, Kind.MODEL), recent, ranks, version)
    drafts = lesson.of_kind(sums, Kind.DRAFT)
    verifier = solve_verifier(drafts, version).encoded() if drafts else None
    return Solution(learned.encoded(), learned.all_labels, TARGET, learned.price(TARGET), verifier)
