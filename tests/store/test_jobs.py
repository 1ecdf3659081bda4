"""The life of a job in Postgres: stored, embedded, claimed, renewed, ended; once and only once."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from builders import ending_of, new_job, passed, unit_vector
from conftest import Tenant
from numpy.typing import NDArray

from aico.core.jobs import CacheMode, CacheState, Controls, JobClass, JobStatus, Stage
from aico.store import backlog, cache, claims, embeddings, jobs
from aico.store.blocking import Database
from aico.store.claims import Claim
from aico.store.embeddings import ToEmbed
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.store.statement import Statement


def store(database: Database, tenant: Tenant, *new: NewJob) -> list[jobs.Submitted]:
    return database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, new))


def to_embed(database: Database, tenant: Tenant, *ids: UUID) -> list[ToEmbed]:
    return database.run(Scope.tenant(tenant.id), embeddings.to_embed(tenant.id, ids, 0.95))


def advance(database: Database, tenant: Tenant, job: UUID, seed: int = 1) -> None:
    found = to_embed(database, tenant, job)
    vectors = np.stack([unit_vector(seed)])
    assert database.run(Scope.tenant(tenant.id), embeddings.advance(tenant.id, passed(found, vectors), "variant"))


def claim(database: Database, tenant: Tenant, job: UUID, lease: float = 30) -> list[Claim]:
    return database.run(Scope.tenant(tenant.id), claims.claim(tenant.id, job, lease))


def finish(database: Database, tenant: Tenant, ending: claims.Ending) -> list[UUID]:
    return [ended.id for ended in database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, [ending], 3600))]


def answered(database: Database, tenant: Tenant, prompt: str, seed: int = 1) -> UUID:
    """A job that went the whole way and whose answer is cached under `unit_vector(seed)`."""
    job = new_job(prompt)
    store(database, tenant, job)
    advance(database, tenant, job.id, seed)
    assert finish(database, tenant, ending_of(claim(database, tenant, job.id)[0]))
    return job.id


def test_a_job_comes_back_as_it_was_stored(database: Database, tenant: Tenant) -> None:
    job = new_job("What is the capital of France?", job_class=JobClass.STANDARD)
    (stored,) = store(database, tenant, job)
    (read,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))
    assert stored.answer is None
    assert read.status is JobStatus.QUEUED
    assert read.job_class is JobClass.STANDARD
    (asked,) = database.run(Scope.tenant(tenant.id), jobs.question(tenant.id, job.id))
    assert asked.last_user_turn == "What is the capital of France?"
    assert read.metadata == {"team": "a"}


def test_only_one_of_many_claims_holds_a_job(database: Database, tenant: Tenant) -> None:
    job = new_job("one claim", mode=CacheMode.EXACT)
    store(database, tenant, job)
    assert [len(claim(database, tenant, job.id)) for _ in range(3)] == [1, 0, 0]


def test_a_claim_can_be_taken_over_after_its_lease_and_the_first_holder_is_refused(
    database: Database, tenant: Tenant
) -> None:
    job = new_job("take over", mode=CacheMode.EXACT)
    store(database, tenant, job)
    (first,) = claim(database, tenant, job.id, lease=0.05)
    time.sleep(0.1)
    (second,) = claim(database, tenant, job.id)
    assert (first.taken_over, second.taken_over) == (False, True)
    assert second.fence > first.fence
    assert finish(database, tenant, ending_of(first, text="late")) == []
    assert finish(database, tenant, ending_of(second, text="in time")) == [job.id]
    assert finish(database, tenant, ending_of(second, text="again")) == []
    (read,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))
    assert read.answer is not None
    assert read.answer.text == "in time"


def test_renewing_keeps_a_lease_and_tells_what_was_lost(database: Database, tenant: Tenant) -> None:
    kept, lost = new_job("kept", mode=CacheMode.EXACT), new_job("lost", mode=CacheMode.EXACT)
    store(database, tenant, kept, lost)
    held = [claim(database, tenant, kept.id)[0], claim(database, tenant, lost.id)[0]]
    assert finish(database, tenant, ending_of(held[1])) == [lost.id]
    assert database.run(Scope.tenant(tenant.id), claims.renew(held, 30)) == [(kept.id, held[0].fence)]


def test_an_identical_request_is_completed_as_it_is_stored(database: Database, tenant: Tenant) -> None:
    answered(database, tenant, "identical")
    again = new_job("identical")
    (stored,) = store(database, tenant, again)
    assert stored.answer is not None
    assert stored.answer.text == "Paris."
    assert stored.routing is not None
    assert stored.routing.cache is CacheState.EXACT
    assert stored.routing.cost_cents == "0"
    assert stored.routing.provider == "local"
    (read,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, again.id))
    assert read.status is JobStatus.COMPLETED


def test_cache_modes_decide_what_is_read(database: Database, tenant: Tenant) -> None:
    answered(database, tenant, "modes")
    served = {mode: store(database, tenant, new_job("modes", mode=mode))[0].answer is not None for mode in CacheMode}
    assert served == {
        CacheMode.OFF: False,
        CacheMode.EXACT: True,
        CacheMode.SEMANTIC: True,
        CacheMode.REFRESH: False,
    }


def test_an_expired_answer_is_not_served(database: Database, tenant: Tenant) -> None:
    job = new_job("expires")
    store(database, tenant, job)
    advance(database, tenant, job.id)
    (held,) = claim(database, tenant, job.id)
    database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, [ending_of(held)], 0))
    assert store(database, tenant, new_job("expires"))[0].answer is None


def nearest(
    tenant: Tenant, job: ToEmbed, vector: NDArray[np.float32], *, variant: str = "variant", least: float = 0.95
) -> Statement[cache.Near]:
    return cache.near(tenant.id, [replace(job, floor=least)], [vector], variant, count=1)


def test_an_expired_neighbour_does_not_hide_a_live_answer(database: Database, tenant: Tenant) -> None:
    scope = Scope.tenant(tenant.id)
    expired = new_job("expired neighbour")
    store(database, tenant, expired)
    advance(database, tenant, expired.id, seed=5)
    (held,) = claim(database, tenant, expired.id)
    database.run(scope, claims.finish(tenant.id, [ending_of(held, text="old")], 0))
    live = new_job("live neighbour")
    store(database, tenant, live)
    found = to_embed(database, tenant, live.id)
    nearly = unit_vector(5) + np.float32(0.1) * unit_vector(6)
    nearly /= np.linalg.norm(nearly)
    database.run(scope, embeddings.advance(tenant.id, passed(found, [nearly]), "variant"))
    finish(database, tenant, ending_of(claim(database, tenant, live.id)[0], text="new"))
    asking = new_job("asking")
    store(database, tenant, asking)
    probe = nearest(tenant, to_embed(database, tenant, asking.id)[0], unit_vector(5))
    assert [near.question for near in database.run(scope, probe)] == ["live neighbour"]
    assert database.run(Scope.system(), cache.purge_expired(1000)) != [0]
    assert database.run(Scope.system(), cache.purge_expired(1000)) == [0]
    (near,) = database.run(scope, probe)
    (kept,) = database.run(scope, cache.answers(tenant.id, [near.entry]))
    assert (near.question, kept.answer.text) == ("live neighbour", "new")


def test_an_answer_that_must_not_be_kept_is_not(database: Database, tenant: Tenant) -> None:
    job = new_job("not kept", mode=CacheMode.EXACT)
    store(database, tenant, job)
    finish(database, tenant, ending_of(claim(database, tenant, job.id)[0], keep=False))
    assert store(database, tenant, new_job("not kept"))[0].answer is None


def test_the_probe_finds_what_is_near_in_the_same_namespace_and_variant(database: Database, tenant: Tenant) -> None:
    answered(database, tenant, "near", seed=7)
    near = new_job("nearly the same")
    store(database, tenant, near)
    (waiting,) = to_embed(database, tenant, near.id)

    def probe(job: ToEmbed, variant: str, seed: int = 7) -> list[cache.Near]:
        return database.run(Scope.tenant(tenant.id), nearest(tenant, job, unit_vector(seed), variant=variant))

    (match,) = probe(waiting, "variant")
    assert match.similarity > 0.999
    assert (match.question, match.model, match.compared) == ("near", "smollm2-135m", True)
    assert probe(waiting, "another variant") == []
    assert probe(waiting, "variant", seed=8) == []
    assert probe(replace(waiting, namespace=bytes(32)), "variant") == []


def test_lost_bells_are_rung_again_sooner_where_the_queue_is_empty(database: Database, tenant: Tenant) -> None:
    job = new_job("lost bell", job_class=JobClass.BATCH)
    store(database, tenant, job)

    def rung(idle: list[JobClass], quiet: float, silent: float) -> set[UUID]:
        statement = backlog.lost_bells(idle, quiet_seconds=quiet, silent_seconds=silent, limit=10_000)
        return {lost.job.id for lost in database.run(Scope.system(), statement)}

    assert job.id not in rung([JobClass.BATCH], 60, 60)
    assert job.id not in rung([], 0, 60)
    assert job.id in rung([JobClass.BATCH], 0, 60)
    assert job.id in rung([], 60, 0)


def test_a_job_held_by_a_dead_worker_is_rung_again(database: Database, tenant: Tenant) -> None:
    job = new_job("dead worker", mode=CacheMode.EXACT)
    store(database, tenant, job)
    claim(database, tenant, job.id, lease=0.01)
    time.sleep(0.05)
    late = database.run(Scope.system(), backlog.lost_bells([], quiet_seconds=0, silent_seconds=60, limit=10_000))
    assert job.id in {lost.job.id for lost in late if lost.job.stage is Stage.ROUTE}


def test_overdue_jobs_end_and_say_why(database: Database, tenant: Tenant) -> None:
    overdue = new_job("overdue", timeout_seconds=0.01)
    unlucky = new_job("unlucky", mode=CacheMode.EXACT)
    store(database, tenant, overdue, unlucky)
    for _ in range(3):
        claim(database, tenant, unlucky.id, lease=0.01)
        time.sleep(0.02)
    ended = database.run(Scope.system(), backlog.end_overdue(max_losses=3, limit=10_000))
    assert {overdue.id, unlucky.id} <= {one.id for one in ended}
    found = {
        job.id: (job.status, job.error and job.error.code)
        for new in (overdue, unlucky)
        for job in database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, new.id))
    }
    assert found[overdue.id] == (JobStatus.EXPIRED, "deadline_exceeded")
    assert found[unlucky.id] == (JobStatus.FAILED, "worker_lost")


def test_pages_are_newest_first_and_complete(database: Database, tenant: Tenant) -> None:
    new = [new_job(f"page {number}") for number in range(5)]
    for job in new:
        store(database, tenant, job)
    seen: list[UUID] = []
    after = None
    while True:
        statement = jobs.page(tenant.id, after=after, status=None, limit=2)
        found = database.run(Scope.tenant(tenant.id), statement)
        if not found:
            break
        seen += [job.id for job in found]
        after = seen[-1]
    assert seen == [job.id for job in reversed(new)]


def test_one_tenants_answer_is_never_anothers(database: Database, make_tenant: Callable[[], Tenant]) -> None:
    first, second = make_tenant(), make_tenant()
    job = answered(database, first, "shared prompt", seed=3)
    (stored,) = store(database, second, new_job("shared prompt"))
    assert stored.answer is None
    (waiting,) = to_embed(database, second, stored.id)
    probe = nearest(second, waiting, unit_vector(3))
    assert database.run(Scope.tenant(second.id), probe) == []
    assert database.run(Scope.tenant(second.id), jobs.get(second.id, job)) == []
    assert database.run(Scope.tenant(second.id), jobs.get(first.id, job)) == []


def test_a_neighbour_that_is_too_old_hides_no_younger_one(
    database: Database, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    """The nearest answer is an hour old; a farther one is new."""
    answered(database, tenant, "old", seed=1)
    admin.execute("update cache_vectors set created_at = now() - interval '1 hour' where tenant_id = %s", (tenant.id,))
    answered(database, tenant, "young", seed=2)
    job = new_job("asked", controls=Controls(max_staleness_seconds=1800))
    store(database, tenant, job)
    (found,) = to_embed(database, tenant, job.id)
    near = unit_vector(1) + np.float32(0.9) * unit_vector(2)
    near /= np.float32(np.linalg.norm(near))
    (match,) = database.run(Scope.tenant(tenant.id), nearest(tenant, found, near, least=0.1))
    old, young = float(near @ unit_vector(1)), float(near @ unit_vector(2))
    assert match.similarity == pytest.approx(young, abs=0.01)
    assert old > young + 0.05
