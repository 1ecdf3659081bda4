"""Jobs on their way through a provider's batch lane: the real worker, database and queue, and a provider's stand-in."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import ending_of, new_job
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from pydantic import SecretStr
from routing.batch_apis import KEY, AnthropicServer, GeminiServer, OpenAIServer
from routing.batch_servers import BatchServer, serving

from aico.core.jobs import CacheMode, Job, JobClass
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.providers.batches.lane import BatchLane
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import backlog, claims, jobs, lanes
from aico.store.claims import Claim
from aico.store.jobs import NewJob
from aico.store.lanes import Parked
from aico.store.scope import Scope
from aico.workers import lane
from aico.workers.answers import Answers
from aico.workers.lane_doors import LaneDoors
from aico.workers.lane_steps import LaneSteps
from aico.workers.leases import Leases
from aico.workers.queue import FORM_BATCHES
from aico.workers.route import settle
from aico.workers.router import Router
from aico.workers.runtime import Runtime

HOURS = 3600.0
SERVERS: dict[str, Callable[[], BatchServer]] = {
    "openai": OpenAIServer,
    "anthropic": AnthropicServer,
    "google": GeminiServer,
}
Row = dict[str, Any]


def settings_for(settings: Settings, provider: str) -> Settings:
    """That provider alone, and no waiting for company."""
    key = SecretStr(KEY)
    blank = dict.fromkeys(("openai_api_key", "anthropic_api_key", "google_api_key", "local_model_url"))
    return settings.model_copy(update={**blank, f"{provider}_api_key": key, "batch_lane_linger_seconds": 0})


def lane_to(server: BatchServer, provider: str) -> BatchLane:
    profile = replace(PROFILE_BY_NAME[provider], base_url=server.url)
    return BatchLane(profile, SecretStr(KEY), call_seconds=5, transfer_seconds=5)


def steps_of(runtime: Runtime, lane: BatchLane) -> LaneSteps:
    catalogue = Catalogue.from_settings(runtime.settings)
    answers = Answers(runtime.settings, ComplexityStrategy(), catalogue)
    models = {model.id: model for model in catalogue.all_models}
    return LaneSteps(runtime, LaneDoors({lane.profile.name: lane}), answers, models)


@dataclass
class Scene:
    runtime: Runtime
    tenant: Tenant
    provider: str
    server: BatchServer
    router: Router
    admin_url: str

    def submit(self, prompt: str, *, job_class: JobClass = JobClass.BATCH, seconds: float = 6 * HOURS) -> NewJob:
        job = new_job(prompt, mode=CacheMode.EXACT, job_class=job_class, timeout_seconds=seconds)
        self.runtime.database.run(self.scope, jobs.submit(self.tenant.id, [job]))
        return job

    def park(self, prompt: str) -> UUID:
        job = self.submit(prompt)
        self.route(job.id)
        assert self.row(job.id)["stage"] == "lane"
        return job.id

    def route(self, job: UUID) -> Claim:
        (claim,) = self.runtime.database.run(self.scope, claims.claim(self.tenant.id, job, 30))
        held = Leases(self.runtime)
        with held.holding(claim):
            settle(self.runtime, claim, self.router, held)
        return claim

    def park_many(self, prompts: Sequence[str]) -> None:
        """Past the router, which would take a while. Each has a call of its own, for it asks for a fresh answer."""
        fresh = [new_job(prompt, mode=CacheMode.REFRESH, job_class=JobClass.BATCH) for prompt in prompts]
        many = [replace(job, searchable=False) for job in fresh]
        self.runtime.database.run(self.scope, jobs.submit(self.tenant.id, many))
        run_each = self.runtime.database.run_each
        held = run_each([(self.scope, claims.claim(self.tenant.id, job.id, 30)) for job in many])
        model = self.models[0]
        run_each([(self.scope, lanes.park(Parked(claim, model, HOURS), 0)) for (claim,) in held])

    @property
    def models(self) -> list[str]:
        return [model.id for model in Catalogue.from_settings(self.runtime.settings).models]

    @property
    def scope(self) -> Scope:
        return Scope.tenant(self.tenant.id)

    def form(self) -> Row:
        """The one batch that the parked jobs are formed into."""
        lane.lane.run(str(self.tenant.id), str(FORM_BATCHES))
        return self.batch()

    def step(self) -> Row:
        """Take the next step of the only batch, as if it were due."""
        self.sql("update provider_batches set poll_at = now() where tenant_id = %(t)s")
        lane.lane.run(str(self.tenant.id), str(self.batch()["id"]))
        return self.batch()

    def direct(self, job: UUID) -> None:
        """Have a job that was given back admitted and answered by a direct call."""
        self.runtime.database.run(Scope.system(), backlog.admit())
        (claim,) = self.runtime.database.run(self.scope, claims.claim(self.tenant.id, job, 30))
        assert not claim.lane_untried
        self.runtime.database.run(self.scope, claims.finish(self.tenant.id, [ending_of(claim)], 60))

    def history(self, job: UUID) -> list[str]:
        return [entry.reason for entry in self.job(job).history]

    def crash(self) -> None:
        """The lease of whoever takes a step runs out."""
        self.sql("update provider_batches set lease_until = now() - interval '1 second' where tenant_id = %(t)s")

    def hedge(self, job: UUID) -> None:
        self.sql("update jobs set hedge_at = now() - interval '1 second' where tenant_id = %(t)s and id = %(j)s", j=job)

    def job(self, job: UUID) -> Job:
        return self.runtime.database.run(self.scope, jobs.get(self.tenant.id, job))[0]

    def row(self, job: UUID) -> Row:
        (row,) = self.sql("select * from jobs where tenant_id = %(t)s and id = %(j)s", j=job)
        return row

    def decision(self, job: UUID) -> Row:
        (row,) = self.sql("select * from decisions where tenant_id = %(t)s and job_id = %(j)s", j=job)
        return row

    def batch(self) -> Row:
        (row,) = self.sql("select * from provider_batches where tenant_id = %(t)s")
        return row

    def events(self) -> list[Row]:
        return self.sql("select * from ledger_outbox where tenant_id = %(t)s order by job_id")

    def line_of(self, job: UUID) -> str:
        return f"{job.hex}-{self.row(job)['fence']}"

    def sql(self, query: str, **params: Any) -> list[Row]:
        with psycopg.connect(self.admin_url, row_factory=dict_row, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), {"t": self.tenant.id, **params})
            return cursor.fetchall() if cursor.description else []


@contextmanager
def playing(
    provider: str, runtime: Runtime, tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """A lane worker at a provider's stand-in."""
    own = replace(runtime, settings=settings_for(runtime.settings, provider))
    router = Router(own.settings, ComplexityStrategy(), lanes=[provider])
    with serving(SERVERS[provider]()) as server, closing(lane_to(server, provider)) as opened, closing(router):
        steps = steps_of(own, opened)
        monkeypatch.setattr(lane, "get_runtime", lambda: own)
        monkeypatch.setattr(lane, "steps", lambda: steps)
        yield Scene(own, tenant, provider, server, router, postgres.admin_url)


def only(*kinds: Callable[[], BatchServer]) -> pytest.MarkDecorator:
    """These providers alone, instead of all three."""
    return pytest.mark.parametrize("scene", [name for name, kind in SERVERS.items() if kind in kinds], indirect=True)
