"""Who may wait for an answer that is under way, because it would be served to him if it were there."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from aico.caching.deciding import COMPARED, Candidate, Decision, timely
from aico.store import similar_flights
from aico.store.cache import Near
from aico.store.embeddings import ToEmbed
from aico.store.scope import Scope
from aico.store.similar_flights import UnderWay, Waits
from aico.workers.runtime import Runtime, patiently

Vector = NDArray[np.float32]
Decide = Callable[[ToEmbed, Sequence[Candidate]], Decision | None]


@dataclass(frozen=True, slots=True)
class Miss:
    """A job that the cache does not answer."""

    job: ToEmbed
    vector: Vector
    near: Sequence[Near]  # what is kept, nearest first

    @property
    def compared(self) -> bool:
        return not self.near


def under_way(
    runtime: Runtime, tenant: UUID, asked: Sequence[tuple[ToEmbed, Vector]], model: str
) -> Mapping[UUID, Sequence[UnderWay]]:
    """What is being answered near the questions of those who may wait: one statement, if anybody may.

    To be looked at before what is kept: an answer that comes in between is found there.
    `model` is the fingerprint of the embedding variant.
    """
    waiting = [(job, vector) for job, vector in asked if job.waits]
    found: dict[UUID, list[UnderWay]] = defaultdict(list)
    if waiting:
        jobs = [job for job, _ in waiting]
        statement = similar_flights.under_way(tenant, jobs, [vector for _, vector in waiting], model, count=COMPARED)
        for flight in patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), statement)):
            found[flight.job].append(flight)
    return found


def waits(misses: Sequence[Miss], flights: Mapping[UUID, Sequence[UnderWay]], decide: Decide, year: int) -> list[Waits]:
    """Who waits for whom. Those who ask at once find each other too, and the first of them leads.

    `year` is the present one.
    """
    leading = [one for one in misses if not one.job.waits]
    found = []
    for one in sorted((one for one in misses if one.job.waits), key=lambda asked: asked.job.id):
        leader = _leader(one, [*flights.get(one.job.id, ()), *_beside(one, leading)], decide, year)
        if leader is None:
            leading.append(one)
        else:
            found.append(Waits(one.job, leader))
    return found


def _beside(asked: Miss, leading: Iterable[Miss]) -> list[UnderWay]:
    """Those who go on to a model now, as the database shows who went before."""
    job, found = asked.job, []
    for one in leading:
        other = one.job
        if (other.namespace, other.arms) != (job.namespace, job.arms) or other.patience > job.patience:
            continue
        similarity = float(asked.vector @ one.vector)
        if similarity >= job.floor:
            identical = other.fingerprint == job.fingerprint
            found.append(UnderWay(job.id, other.id, other.text, similarity, one.compared, identical))
    return found


def _leader(asked: Miss, flights: Sequence[UnderWay], decide: Decide, year: int) -> UUID | None:
    """None: nobody's answer would be served, or the very same is asked, which shares the call and its cost."""
    if not flights or any(one.identical for one in flights):
        return None
    nearest = sorted(timely(asked.job.text, flights, year), key=lambda one: -one.similarity)[:COMPARED]
    candidates: list[Near | UnderWay] = sorted([*asked.near, *nearest], key=lambda one: -one.similarity)
    decision = decide(asked.job, candidates)
    if decision is None or not decision.served:
        return None
    chosen = candidates[decision.place]
    return chosen.leader if isinstance(chosen, UnderWay) else None
