"""Asks the cache for each job's question: what is served, what is handed on, and which decisions are to be judged."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from aico.caching.calibration import State
from aico.caching.deciding import Decider, Decision, Known, Why
from aico.caching.neighbourhood import NEIGHBOURS
from aico.caching.sampling import audit_chance, near_chance
from aico.caching.scoring import FEATURES_VERSION, probability
from aico.core.attempts import AttemptKind
from aico.core.cache_policy import Basis
from aico.core.comparing import audits, cache_draw
from aico.core.grey_zone import LEAST_PROBABLE
from aico.core.jobs import CacheMode
from aico.store import cache as cache_store
from aico.store.cache import Kept, Near
from aico.store.cache_checks import CheckKind, NewCheck
from aico.store.claims import Ending
from aico.store.embeddings import KnownNamespace, Passed, ToEmbed
from aico.store.scope import Scope
from aico.workers.hits import Served, Trust, hit
from aico.workers.runtime import Runtime, patiently

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the jobs that were looked at together."""

    hits: list[Ending]
    passed: list[Passed]
    outdated: list[UUID]  # a job of each namespace whose calibration is for something else than is needed now


@dataclass(frozen=True, slots=True)
class _Found:
    """What the cache has near a job's question."""

    job: ToEmbed
    vector: Vector
    near: Near
    known: Known
    decision: Decision


class Lookup:
    """Of one process; thread-safe."""

    def __init__(self, runtime: Runtime, decider: Decider, model: str) -> None:
        """`model` is the fingerprint of the embedding variant."""
        self._runtime = runtime
        self._decider = decider
        self._model = model

    def look(self, tenant: UUID, batch: Sequence[ToEmbed], vectors: Sequence[Vector | None], started: float) -> Looked:
        """One statement for what is near, one more if anything is served. `started` in seconds of `time.monotonic`."""
        found = {one.job.id: one for one in self._find(tenant, batch, vectors)}
        served = [one for one in found.values() if one.decision.served]
        answers = self._answers(tenant, [one.near.entry for one in served])
        hits: dict[UUID, Ending] = {}
        for one in served:
            kept = answers.get(one.near.entry)
            if kept is not None:
                hits[one.job.id] = self._hit(one, kept, int((time.monotonic() - started) * 1000))
        passed = [
            self._passed(job, vector, found.get(job.id))
            for job, vector in zip(batch, vectors, strict=True)
            if job.id not in hits
        ]
        return Looked(list(hits.values()), passed, self._outdated(found.values()))

    def _outdated(self, found: Iterable[_Found]) -> list[UUID]:
        by_namespace = {
            one.job.namespace: one.job.id
            for one in found
            if one.job.cache.verdicts and one.job.cache.basis.outdated(self._needed(one.job))
        }
        return list(by_namespace.values())

    def _find(self, tenant: UUID, batch: Sequence[ToEmbed], vectors: Sequence[Vector | None]) -> list[_Found]:
        readers = [
            (job, vector)
            for job, vector in zip(batch, vectors, strict=True)
            if job.cache_mode is CacheMode.SEMANTIC and vector is not None
        ]
        if not readers:
            return []
        jobs = [job for job, _ in readers]
        statement = cache_store.near(tenant, jobs, [vector for _, vector in readers], self._model, count=NEIGHBOURS)
        near: dict[UUID, list[Near]] = defaultdict(list)
        for one in patiently(lambda: self._runtime.database.run(Scope.tenant(tenant), statement)):
            near[one.job].append(one)
        return [
            found for job, vector in readers if (found := self._decide(job, vector, near.get(job.id, ()))) is not None
        ]

    def _decide(self, job: ToEmbed, vector: Vector, near: Sequence[Near]) -> _Found | None:
        allowed = [one for one in near if _allowed(one, job.models)]
        guards = self._runtime.settings.cache_guards if job.guards is None else job.guards
        known = _known(job.cache).unless_outdated(job.cache.basis, self._needed(job))
        decision = self._decider.decide(job.text, allowed, known, guards)
        return None if decision is None else _Found(job, vector, allowed[decision.place], known, decision)

    def _answers(self, tenant: UUID, entries: Sequence[UUID]) -> Mapping[UUID, Kept]:
        if not entries:
            return {}
        statement = cache_store.answers(tenant, entries)
        found = patiently(lambda: self._runtime.database.run(Scope.tenant(tenant), statement))
        return {one.entry: one for one in found}

    def _hit(self, found: _Found, kept: Kept, latency_ms: int) -> Ending:
        check = self._check(found, "hit", self._hit_chance(found))
        job, trust = found.job, self._trust(found)
        served = Served(kept.entry, kept.answer, kept.routing, AttemptKind.SEMANTIC_HIT, found.near.similarity, trust)
        return replace(hit(job.id, job.fence, job.api_key_id, job.arms, served, latency_ms), check=check)

    def _trust(self, found: _Found) -> Trust:
        known, holds = found.job.cache, found.job.cache.basis.holds(self._needed(found.job))
        return Trust(
            score=probability(found.decision.score),
            bound=known.bound if holds else None,
            target=self._target(found.job),
            judged=known.judged if holds else 0,
        )

    def _needed(self, job: ToEmbed) -> Basis:
        return Basis(FEATURES_VERSION, self._model, self._target(job), self._runtime.settings.cache_confidence)

    def _target(self, job: ToEmbed) -> float:
        return self._runtime.settings.cache_max_error_rate if job.max_error_rate is None else job.max_error_rate

    def _hit_chance(self, found: _Found) -> float:
        """With which a hit is drawn, or what would be one but for probation."""
        if not found.known.state.serves:
            return 1.0
        share = self._runtime.settings.cache_audit_share
        return audit_chance(found.job.cache.audited, share, self._target(found.job))

    def _near_chance(self, found: _Found) -> float:
        known = found.job.cache
        hits = known.audited or not found.known.state.serves  # there are some that were drawn
        least = self._hit_chance(found) if hits else self._runtime.settings.cache_audit_share
        same = known.basis.of_same_scores(self._needed(found.job))
        return near_chance(known.judged if same else 0, known.verdicts, least)

    def _passed(self, job: ToEmbed, vector: Vector | None, found: _Found | None) -> Passed:
        if found is None:
            return Passed(job, vector)
        if found.decision.eligible:
            check = self._check(found, "held", self._hit_chance(found))
        else:
            check = self._check(found, "near", self._near_chance(found))
        return Passed(job, vector, found.near.entry, check, self._probability(found))

    def _probability(self, found: _Found) -> float | None:
        """That the answer serves, where a model may be asked; None: nobody is."""
        unsure = found.decision.why is Why.SCORE and found.known.state.serves
        likely = probability(found.decision.score)
        return likely if unsure and likely >= LEAST_PROBABLE and self._runtime.settings.cache_grey_zone else None

    def _check(self, found: _Found, kind: CheckKind, chance: float) -> NewCheck | None:
        """None: it is not drawn, or nobody could judge it. The same job is drawn the same each time."""
        job, decision = found.job, found.decision
        drawn = chance > 0 and cache_draw(job.wishes, str(job.id)) < chance
        if not drawn or not audits(self._runtime.settings, job.wishes):
            return None
        return NewCheck(
            entry=found.near.entry,
            kind=kind,
            chance=chance,
            similarity=found.near.similarity,
            score=decision.score,
            features=decision.features,
            features_version=FEATURES_VERSION,
            allowed=self._target(job),
            vector=HalfVector(found.vector).to_text() if kind == "hit" else None,
            model=self._model if kind == "hit" else None,
        )


def _allowed(near: Near, models: frozenset[str] | None) -> bool:
    """A job that is replayed under another key keeps its namespace, where other models may have answered."""
    return models is None or near.model in models


def _known(namespace: KnownNamespace) -> Known:
    return Known(
        state=State.LEARNING if namespace.state is None else State(namespace.state),
        cut=namespace.cut,
        weights=namespace.weights,
        judged=namespace.verdicts > 0,
    )
