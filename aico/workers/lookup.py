"""Asks the cache for each job's question: what is served, what is handed on, and which decisions are to be judged."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from aico.caching.calibration import State
from aico.caching.deciding import Candidate, Decider, Decision, Known, Why, timely
from aico.caching.neighbourhood import NEIGHBOURS
from aico.caching.sampling import audit_chance, near_chance
from aico.caching.scoring import FEATURES_VERSION, probability
from aico.core.attempts import AttemptKind
from aico.core.cache_policy import Basis, GuardPolicy
from aico.core.comparing import audits, cache_draw
from aico.core.grey_zone import LEAST_PROBABLE
from aico.core.jobs import CacheMode
from aico.store import cache as cache_store
from aico.store.cache import Kept, Near
from aico.store.cache_checks import CheckKind, NewCheck
from aico.store.claims import Ending
from aico.store.embeddings import Doubt, KnownNamespace, Passed, ToEmbed
from aico.store.scope import Scope
from aico.store.similar_flights import Waits
from aico.tracing.spans import Attributes
from aico.workers.hits import Served, Trust, hit
from aico.workers.runtime import Runtime, patiently
from aico.workers.similar import Miss, under_way, waits

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the jobs that were looked at together."""

    hits: list[Ending]
    passed: list[Passed]
    waits: list[Waits]  # for the answers of others
    outdated: list[UUID]  # a job of each namespace whose calibration is for something else than is needed now

    def told(self) -> Mapping[UUID, Attributes]:
        """For traces, by job."""
        hits = {
            one.id: {"aico.cache.result": "hit", "aico.cache.similarity": one.attempts[0].similarity}
            for one in self.hits
        }
        passed = {
            one.job.id: {
                "aico.cache.result": "miss" if one.near is None else "near",
                "aico.cache.probability": one.probability,
            }
            for one in self.passed
        }
        return {**hits, **passed, **{one.job.id: {"aico.cache.result": "wait"} for one in self.waits}}


@dataclass(frozen=True, slots=True)
class _Found:
    """What the cache has near a job's question."""

    job: ToEmbed
    vector: Vector
    around: Sequence[Near]
    known: Known
    decision: Decision

    @property
    def near(self) -> Near:
        """The one that was looked at."""
        return self.around[self.decision.place]


class Lookup:
    """Of one process; thread-safe."""

    def __init__(self, runtime: Runtime, decider: Decider, model: str) -> None:
        """`model` is the fingerprint of the embedding variant."""
        self._runtime = runtime
        self._decider = decider
        self._model = model

    def look(self, tenant: UUID, batch: Sequence[ToEmbed], vectors: Sequence[Vector | None], started: float) -> Looked:
        """One statement for what is near, one more if anything is served, and one if anybody may wait for others.

        `started` in seconds of `time.monotonic`.
        """
        asked = [(job, vector) for job, vector in zip(batch, vectors, strict=True) if vector is not None]
        flights = under_way(self._runtime, tenant, asked, self._model)
        near = self._near(tenant, asked)
        found = {one.job.id: one for one in self._find(asked, near)}
        served = [one for one in found.values() if one.decision.served]
        answers = self._answers(tenant, [one.near.entry for one in served])
        hits: dict[UUID, Ending] = {}
        for one in served:
            kept = answers.get(one.near.entry)
            if kept is not None:
                hits[one.job.id] = self._hit(one, kept, int((time.monotonic() - started) * 1000))
        missed = [(job, vector) for job, vector in zip(batch, vectors, strict=True) if job.id not in hits]
        misses = [Miss(job, vector, near.get(job.id, ())) for job, vector in missed if vector is not None]
        waiting = waits(misses, flights, self._decide, datetime.now(UTC).year)
        others = {one.job.id for one in waiting}
        passed = [self._passed(job, vector, found.get(job.id)) for job, vector in missed if job.id not in others]
        return Looked(list(hits.values()), passed, waiting, self._outdated(found.values()))

    def _outdated(self, found: Iterable[_Found]) -> list[UUID]:
        by_namespace = {
            one.job.namespace: one.job.id
            for one in found
            if one.job.cache.verdicts and one.job.cache.basis.outdated(self._needed(one.job))
        }
        return list(by_namespace.values())

    def _near(self, tenant: UUID, asked: Sequence[tuple[ToEmbed, Vector]]) -> Mapping[UUID, Sequence[Near]]:
        """What is kept near each job's question and may be served to it, nearest first."""
        readers = [(job, vector) for job, vector in asked if job.cache_mode is CacheMode.SEMANTIC]
        if not readers:
            return {}
        jobs = [job for job, _ in readers]
        statement = cache_store.near(tenant, jobs, [vector for _, vector in readers], self._model, count=NEIGHBOURS)
        near: dict[UUID, list[Near]] = defaultdict(list)
        for one in patiently(lambda: self._runtime.database.run(Scope.tenant(tenant), statement)):
            near[one.job].append(one)
        year = datetime.now(UTC).year
        return {
            job.id: timely(job.text, [one for one in near[job.id] if _allowed(one, job.models)], year) for job in jobs
        }

    def _find(self, asked: Sequence[tuple[ToEmbed, Vector]], near: Mapping[UUID, Sequence[Near]]) -> Iterator[_Found]:
        for job, vector in asked:
            around = near.get(job.id)
            decision = self._decide(job, around) if around else None
            if around and decision is not None:
                yield _Found(job, vector, around, self._known(job), decision)

    def _decide(self, job: ToEmbed, candidates: Sequence[Candidate]) -> Decision | None:
        return self._decider.decide(job.text, candidates, self._known(job), self._guards(job))

    def _known(self, job: ToEmbed) -> Known:
        return _known(job.cache).unless_outdated(job.cache.basis, self._needed(job))

    def _guards(self, job: ToEmbed) -> GuardPolicy:
        return self._runtime.settings.cache_guards if job.guards is None else job.guards

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
        return Passed(job, vector, found.near.entry, check, *self._doubts(found))

    def _doubts(self, found: _Found) -> tuple[float | None, tuple[Doubt, ...]]:
        """The probability that the answer serves, where a model may be asked, and what else it is asked about.

        None: nobody is.
        """
        job, known = found.job, found.known
        unsure = found.decision.why is Why.SCORE and known.state.serves and self._runtime.settings.cache_grey_zone
        likely = probability(found.decision.score)
        if not unsure or likely < LEAST_PROBABLE:
            return None, ()
        others = [
            Doubt(found.around[one.place].entry, probability(one.score), one.score, one.features)
            for one in self._decider.decisions(job.text, found.around, known, self._guards(job))
            if one.place != found.decision.place and one.why is not Why.GUARDED
        ]
        likely_ones = [one for one in others if one.probability >= LEAST_PROBABLE]
        return likely, tuple(sorted(likely_ones, key=lambda one: -one.probability))

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
