"""The first hop, with the real database and an embedder whose vectors are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
import pytest
from builders import ending_of, new_job, unit_vector
from conftest import Postgres, Tenant
from numpy.typing import NDArray

from aico.core.jobs import CacheMode, CacheState, Controls, Job, JobStatus
from aico.store import claims, jobs, ledger
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import embed
from aico.workers.runtime import Runtime


@dataclass
class KnownEmbedder:
    """One vector for each first word."""

    calls: list[list[str]]
    fingerprint: str = "known"
    dimensions: int = 384

    def reads(self, text: str) -> bool:
        return len(text) < 1000

    def count(self, text: str) -> int | None:
        return len(text.split()) + 2 if len(text) < 1000 else None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if texts:
            self.calls.append(list(texts))
        return np.reshape([unit_vector(sum(map(ord, text.lower().split()[0]))) for text in texts], (-1, 384))


@pytest.fixture
def embedder(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> KnownEmbedder:
    known = KnownEmbedder([])
    monkeypatch.setattr(embed, "get_runtime", lambda: runtime)
    monkeypatch.setattr(embed, "embedder", lambda: known)
    return known


def store(runtime: Runtime, tenant: Tenant, *new: NewJob) -> list[tuple[str, str]]:
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, new))
    return [(str(tenant.id), str(job.id)) for job in new]


def read(runtime: Runtime, tenant: Tenant, job: NewJob) -> Job:
    return runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))[0]


def answer(runtime: Runtime, tenant: Tenant, job: NewJob) -> None:
    (claim,) = runtime.database.run(Scope.tenant(tenant.id), claims.claim(tenant.id, job.id, 30))
    assert runtime.database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, [ending_of(claim)], 60))


def test_a_miss_goes_on_to_the_queue_of_its_class(runtime: Runtime, embedder: KnownEmbedder, tenant: Tenant) -> None:
    job = new_job("france capital")
    embed.embed.run(store(runtime, tenant, job))
    assert read(runtime, tenant, job).status is JobStatus.QUEUED
    assert runtime.redis.llen("interactive") == 1
    assert runtime.redis.llen("record") == 0


def test_a_hit_ends_the_job_with_the_answers_own_provenance(
    runtime: Runtime, embedder: KnownEmbedder, tenant: Tenant
) -> None:
    first, second = new_job("france capital"), new_job("france, its capital".replace(",", ""))
    embed.embed.run(store(runtime, tenant, first))
    answer(runtime, tenant, first)
    embed.embed.run(store(runtime, tenant, second))
    ended = read(runtime, tenant, second)
    assert ended.status is JobStatus.COMPLETED
    assert ended.answer is not None
    assert ended.answer.text == "Paris."
    assert ended.routing is not None
    assert ended.routing.cache is CacheState.SEMANTIC
    assert ended.routing.similarity == pytest.approx(1, abs=1e-3)
    assert (ended.routing.provider, ended.routing.cost_cents) == ("local", "0")
    assert runtime.database.run(Scope.tenant(tenant.id), ledger.pending(tenant.id)) == [1]
    assert runtime.redis.llen("record") == 1


def test_an_answer_that_is_too_old_for_the_caller_is_not_served_by_meaning(
    runtime: Runtime, embedder: KnownEmbedder, tenant: Tenant, postgres: Postgres
) -> None:
    first = new_job("france capital")
    embed.embed.run(store(runtime, tenant, first))
    answer(runtime, tenant, first)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        for table in ("cache_entries", "cache_vectors"):
            older = f"update {table} set created_at = created_at - interval '1 minute' where tenant_id = %s"  # noqa: S608
            admin.execute(older.encode(), (tenant.id,))
    patient = new_job("France capital?", controls=Controls(max_staleness_seconds=120))
    strict = new_job("FRANCE CAPITAL", controls=Controls(max_staleness_seconds=30))
    fresh = new_job("france capital!", controls=Controls(max_staleness_seconds=0))
    embed.embed.run(store(runtime, tenant, patient, strict, fresh))
    states = [read(runtime, tenant, job).status for job in (patient, strict, fresh)]
    assert states == [JobStatus.COMPLETED, JobStatus.QUEUED, JobStatus.QUEUED]


def test_refresh_is_embedded_but_not_served(runtime: Runtime, embedder: KnownEmbedder, tenant: Tenant) -> None:
    first, second = new_job("france capital"), new_job("france again", mode=CacheMode.REFRESH)
    embed.embed.run(store(runtime, tenant, first))
    answer(runtime, tenant, first)
    embed.embed.run(store(runtime, tenant, second))
    assert read(runtime, tenant, second).status is JobStatus.QUEUED
    assert runtime.redis.llen("interactive") == 2


def test_one_call_embeds_for_all_tenants_and_hits_stay_apart(
    runtime: Runtime, embedder: KnownEmbedder, make_tenant: Callable[[], Tenant]
) -> None:
    one, two = make_tenant(), make_tenant()
    asked = new_job("france capital")
    embed.embed.run(store(runtime, one, asked))
    answer(runtime, one, asked)
    mine, theirs = new_job("france mine"), new_job("france theirs")
    embed.embed.run([*store(runtime, one, mine), *store(runtime, two, theirs)])
    assert embedder.calls[-1] == ["france mine", "france theirs"]
    assert read(runtime, one, mine).status is JobStatus.COMPLETED
    assert read(runtime, two, theirs).status is JobStatus.QUEUED


def test_what_many_ask_is_embedded_once(runtime: Runtime, embedder: KnownEmbedder, tenant: Tenant) -> None:
    many = [new_job(text) for text in ("france capital", "italy capital", "france capital", "france capital")]
    embed.embed.run(store(runtime, tenant, *many))
    assert embedder.calls == [["france capital", "italy capital"]]
    assert runtime.redis.llen("interactive") == 4


def test_what_the_model_does_not_wholly_read_is_never_matched_by_meaning(
    runtime: Runtime, embedder: KnownEmbedder, tenant: Tenant
) -> None:
    beginning = "contract " * 200
    first, second = new_job(beginning + "We accept."), new_job(beginning + "We decline.")
    embed.embed.run(store(runtime, tenant, first))
    answer(runtime, tenant, first)
    embed.embed.run(store(runtime, tenant, second))
    assert read(runtime, tenant, second).status is JobStatus.QUEUED
    assert embedder.calls == []
    (same,) = runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [new_job(beginning + "We accept.")]))
    assert same.answer is not None


def test_a_bell_that_rings_twice_changes_nothing(runtime: Runtime, embedder: KnownEmbedder, tenant: Tenant) -> None:
    job = new_job("twice over")
    bell = store(runtime, tenant, job)
    embed.embed.run(bell + bell)
    embed.embed.run(bell)
    assert runtime.redis.llen("interactive") == 1
    assert embedder.calls == [["twice over"]]
