"""A tenant's cache as the first hop looks at it, with what the service knows of the namespace set by hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from workers.test_embed import KnownEmbedder, answer, read, store

from aico.caching.deciding import Decider
from aico.core.jobs import CacheMode, JobStatus
from aico.embedding_service.verification.comparison import Verifier
from aico.store import embeddings
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import embed
from aico.workers.lookup import Looked, Lookup
from aico.workers.runtime import Runtime

SERVED, TOO_LOW = "cut = -1000", "cut = 1000"  # whatever it scores
HELD = f"{SERVED}, state = 'probation'"


@dataclass
class Cache:
    """Of one tenant, whose questions are near each other where they begin with the same word."""

    runtime: Runtime
    admin: psycopg.Connection[dict[str, Any]]
    tenant: Tenant
    lookup: Lookup

    def keep(self, prompt: str) -> UUID:
        """A question that has been answered; its entry."""
        job = new_job(prompt)
        embed.embed.run(store(self.runtime, self.tenant, job))
        answer(self.runtime, self.tenant, job)
        (entry,) = self.rows("select id from cache_entries where tenant_id = %s order by created_at desc limit 1")
        found: UUID = entry["id"]
        return found

    def ask(self, *prompts: str, mode: CacheMode = CacheMode.SEMANTIC) -> list[NewJob]:
        asked = [new_job(prompt, mode=mode) for prompt in prompts]
        embed.embed.run(store(self.runtime, self.tenant, *asked))
        return asked

    def checks(self) -> list[dict[str, Any]]:
        return self.rows("select * from cache_checks where tenant_id = %s order by job_id")

    def knows(self, change: str) -> None:
        self.admin.execute(f"update cache_namespaces set {change} where tenant_id = %s".encode(), (self.tenant.id,))  # noqa: S608

    def status(self, job: NewJob) -> JobStatus:
        return read(self.runtime, self.tenant, job).status

    def look(self, asked: list[NewJob]) -> Looked:
        """Without what comes of it being stored."""
        scope = Scope.tenant(self.tenant.id)
        statement = embeddings.to_embed(self.tenant.id, [job.id for job in asked], 0.65)
        batch = self.runtime.database.run(scope, statement)
        vectors = embed.vectors_of([job.text for job in batch])
        return self.lookup.look(self.tenant.id, batch, vectors, 0.0)

    def rows(self, query: str) -> list[dict[str, Any]]:
        return self.admin.execute(query.encode(), (self.tenant.id,)).fetchall()


Open = Callable[..., Cache]


@pytest.fixture
def open_cache(
    runtime: Runtime, postgres: Postgres, make_tenant: Callable[[], Tenant], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """A cache with a judge, where nothing else is said. No guard objects, so that the cut alone decides."""
    known = KnownEmbedder([])
    monkeypatch.setattr(embed, "embedder", lambda: known)
    with psycopg.connect(postgres.admin_url, autocommit=True, row_factory=dict_row) as admin:

        def make(**changes: Any) -> Cache:
            settings = runtime.settings.model_copy(update={"judge_model": "judge", "cache_guards": "off", **changes})
            configured, tenant = replace(runtime, settings=settings), make_tenant()
            lookup = Lookup(configured, Decider(Verifier()), known.fingerprint)
            monkeypatch.setattr(embed, "get_runtime", lambda: configured)
            monkeypatch.setattr(embed, "lookup", lambda: lookup)
            return Cache(configured, admin, tenant, lookup)

        yield make
