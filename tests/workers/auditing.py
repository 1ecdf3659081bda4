"""A tenant whose cache decides, and what a check of a decision comes to: see `comparing`, whose worker judges."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from builders import completed, new_job, passed, unit_vector
from conftest import Tenant
from pgvector import HalfVector
from workers.comparing import SMALL, Play, Scene, play

from aico.core.jobs import CacheMode, CacheState
from aico.store import cache, cache_checks, claims, embeddings, jobs
from aico.store.claims import Ending
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import compare

__all__ = ["play"]

VARIANT = "variant"  # of the embedding model
SAME, DIFFERENT = '{"reason": "so", "verdict": "same"}', '{"reason": "so", "verdict": "different"}'
_CHECK = (
    "insert into cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score, features,"
    " fingerprint, embedding, embedding_model) values (%s, %s, %s, %s, %s, 0.5, 0.9, 1, '{1,1,0,0,0}', %s, %s, %s)"
)


@dataclass
class Cache:
    """What the embed worker does, for one tenant."""

    scene: Scene
    tenant: Tenant

    def ask(self, prompt: str, *, near: UUID | None = None, mode: CacheMode = CacheMode.SEMANTIC) -> NewJob:
        """A job that missed, and `near` was looked at."""
        job = new_job(prompt, mode=mode)
        self.run(jobs.submit(self.tenant.id, [job]))
        found = self.run(embeddings.to_embed(self.tenant.id, [job.id], 0.95))
        self.run(embeddings.advance(self.tenant.id, passed(found, np.stack([unit_vector(1)])), VARIANT))
        self.scene.admin.execute("update jobs set near_entry = %s where id = %s", (near, job.id))
        return job

    def answer(self, job: NewJob, said: str, **changes: Any) -> UUID:
        (held,) = self.run(claims.claim(self.tenant.id, job.id, 30))
        assert self.run(claims.finish(self.tenant.id, [replace(ending(job, held.fence, said), **changes)], 3600))
        return job.id

    def keep(self, prompt: str, said: str) -> UUID:
        """The entry of a question that was answered."""
        return UUID(str(self.entry_of(self.answer(self.ask(prompt), said))["id"]))

    def entry_of(self, job: UUID) -> dict[str, Any]:
        (row,) = self.rows("select * from cache_entries where job_id = %s and asked_by is null", job)
        return row

    def entries(self, entry: UUID) -> list[dict[str, Any]]:
        return self.rows("select * from cache_entries where id = %s", entry)

    def hit(self, prompt: str, entry: UUID, *, drawn: bool = True) -> UUID:
        """A job that was answered with an entry's answer, and whether that was drawn to be checked."""
        job = new_job(prompt)
        self.run(jobs.submit(self.tenant.id, [job]))
        (kept,) = self.run(cache.answers(self.tenant.id, [entry]))
        routing = kept.routing.model_copy(update={"cache": CacheState.SEMANTIC, "similarity": 0.9})
        served = replace(ending(job, 0, ""), answer=kept.answer, entry=entry, routing=routing, keep=False)
        assert self.run(claims.finish(self.tenant.id, [served], 3600))
        if drawn:
            self.check(job, entry, "hit")
        return job.id

    def miss(self, prompt: str, entry: UUID, said: str, *, kind: str = "near", **changes: Any) -> UUID:
        """A job with an answer of its own, though an entry was near."""
        job = self.ask(prompt, near=entry)
        self.check(job, entry, kind)
        return self.answer(job, said, **changes)

    def check(self, job: NewJob, entry: UUID, kind: str) -> None:
        key, vector = job.key, HalfVector(unit_vector(2)).to_text()
        values = (self.tenant.id, job.id, key.namespace, entry, kind, key.fingerprint, vector, VARIANT)
        self.scene.admin.execute(_CHECK, values)

    def audit(self, job: UUID) -> dict[str, Any]:
        """A look by the sweeper, a visit of a worker, and the check after both."""
        self.look()
        compare.work_on(self.scene.runtime, self.scene.comparer, self.tenant.id, job)
        return self.checked(job)

    def look(self) -> None:
        self.scene.runtime.database.run(Scope.system(), cache_checks.take_on(1000))

    def checked(self, job: UUID) -> dict[str, Any]:
        (row,) = self.rows("select * from cache_checks where job_id = %s", job)
        return row

    def near(self, prompt: str) -> list[UUID]:
        """The entries that are found for a question, whose vector is everybody's."""
        job = new_job(prompt)
        self.run(jobs.submit(self.tenant.id, [job]))
        found = self.run(embeddings.to_embed(self.tenant.id, [job.id], 0.0))
        looked = cache.near(self.tenant.id, found, [unit_vector(1)], VARIANT, count=100)
        return [one.entry for one in self.run(looked)]

    def verdicts(self) -> int:
        rows = self.rows("select sum(verdicts)::integer as verdicts from cache_namespaces where tenant_id = %s", None)
        return rows[0]["verdicts"] or 0

    def rows(self, query: str, value: Any) -> list[dict[str, Any]]:
        """Of a query with one place, which is the tenant's where nothing else is given."""
        return self.scene.admin.execute(query, (value or self.tenant.id,)).fetchall()

    def run(self, statement: Any) -> list[Any]:
        return self.scene.run(self.tenant, statement)


def ending(job: NewJob, fence: int, said: str) -> Ending:
    """By the small model, and kept."""
    plain = completed(job.id, fence, text=said)
    assert plain.routing is not None
    return replace(plain, routing=plain.routing.model_copy(update={"model": SMALL, "provider": "openai_compatible"}))


Open = Callable[..., Cache]


@pytest.fixture
def open_cache(play: Play, tenant: Tenant) -> Open:
    return lambda **changes: Cache(play(**changes), tenant)
