"""One tenant's jobs on their way through the first hop: questions near by one word, the real database."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from builders import ending_of, new_job
from workers.looking import SERVED, Cache, Open
from workers.test_embed import read, store

from aico.core.jobs import Controls, Job, JobClass
from aico.store import claims
from aico.store.claims import Claim, Ending
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import embed
from aico.workers.feed import Feeder

CALMLY, AT_ONCE = Controls(wait_for_similar=True), Controls(wait_for_similar=False)


@dataclass
class Airport:
    """Asks, answers, and moves them on as the workers do."""

    cache: Cache

    def knows(self, what: str) -> None:
        self.cache.admin.execute(
            "insert into cache_namespaces (tenant_id, namespace) values (%s, %s) on conflict do nothing",
            (self.cache.tenant.id, new_job("").key.namespace),
        )
        self.cache.knows(what)

    def ask(self, *prompts: str, job_class: JobClass = JobClass.BATCH, **how: Any) -> list[NewJob]:
        """Jobs of one micro-batch."""
        built = {name: how.pop(name) for name in ("mode", "controls", "timeout_seconds") if name in how}
        asked = [replace(new_job(prompt, job_class=job_class, **built), **how) for prompt in prompts]
        embed.embed.run(store(self.cache.runtime, self.cache.tenant, *asked))
        return asked

    def see(self, job: NewJob) -> Job:
        return read(self.cache.runtime, self.cache.tenant, job)

    def stages(self, *asked: NewJob) -> list[str]:
        return [self.see(job).stage.value for job in asked]

    def claim(self, job: NewJob, lease: float = 30) -> Claim:
        (held,) = self.run(claims.claim(self.cache.tenant.id, job.id, lease))
        claim: Claim = held
        return claim

    def answer(self, job: NewJob, *, keep: bool = True) -> None:
        assert self.finish(ending_of(self.claim(job), keep=keep))

    def finish(self, ending: Ending) -> list[Any]:
        return self.run(claims.finish(self.cache.tenant.id, [ending], 3600))

    def move(self) -> None:
        """The feeder's round, and the embed worker's next batch of whatever it has let through."""
        Feeder(self.cache.runtime).feed()
        rung = self.cache.rows(
            "select id from jobs where tenant_id = %s and status = 'queued' and stage = 'embed' and bell_at is not null"
        )
        embed.embed.run([(str(self.cache.tenant.id), *(str(row["id"]) for row in rung))])

    def awaited(self, *asked: NewJob) -> list[UUID | None]:
        rows = self.cache.rows("select id, awaits from jobs where tenant_id = %s")
        found = {row["id"]: row["awaits"] for row in rows}
        return [found[job.id] for job in asked]

    def run(self, statement: Any) -> list[Any]:
        return self.cache.runtime.database.run(Scope.tenant(self.cache.tenant.id), statement)


@pytest.fixture
def airport(open_cache: Open) -> Airport:
    """Where whatever is near would be served."""
    there = Airport(open_cache())
    there.knows(SERVED)
    return there
