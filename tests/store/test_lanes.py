"""Parked jobs and the batches formed of them, in the real database, as the service's own role."""

from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from builders import ending_of, new_job
from conftest import Postgres, Tenant

from aico.core.ids import new_id
from aico.core.jobs import CacheMode, Job, JobClass, JobStatus
from aico.store import backlog, claims, jobs, lanes
from aico.store.blocking import Database
from aico.store.claims import Claim
from aico.store.lanes import Due, HeldBatch, Parked
from aico.store.scope import Scope

MODEL = "some-model"
HOUR = 3600.0


@pytest.fixture
def sql(postgres: Postgres, tenant: Tenant) -> Callable[[str], None]:
    """Move time, as the database's owner."""

    def run(query: str) -> None:
        with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
            connection.execute(query.encode(), {"t": tenant.id})

    return run


def park(database: Database, tenant: Tenant, prompt: str = "wait", *, model: str = MODEL, linger: float = 0) -> Claim:
    job = new_job(prompt, mode=CacheMode.OFF, job_class=JobClass.BATCH)
    scope = Scope.tenant(tenant.id)
    database.run(scope, jobs.submit(tenant.id, [job]))
    (claim,) = database.run(scope, claims.claim(tenant.id, job.id, 30))
    assert database.run(scope, lanes.park(Parked(claim, model, HOUR), linger)) == [job.id]
    return claim


def form(database: Database, tenant: Tenant, *, lines: int = 100, size: int = 1_000_000) -> tuple[UUID, list[int]]:
    batch = new_id()
    statement = lanes.form(tenant.id, batch, "provider", MODEL, max_lines=lines, max_bytes=size)
    return batch, database.run(Scope.tenant(tenant.id), statement)


def hold(database: Database, tenant: Tenant, batch: UUID) -> HeldBatch:
    (held,) = database.run(Scope.tenant(tenant.id), lanes.claim(tenant.id, batch, 60))
    return held


def due(database: Database, tenant: Tenant) -> list[Due]:
    return [one for one in database.run(Scope.system(), lanes.due(limit=1000)) if one.tenant == tenant.id]


def read(database: Database, tenant: Tenant, job: UUID) -> Job:
    return database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job))[0]


def test_only_the_holder_parks(database: Database, tenant: Tenant) -> None:
    claim = park(database, tenant)
    job = read(database, tenant, claim.id)
    assert (job.status, job.stage.value) == (JobStatus.IN_PROGRESS, "lane")
    scope = Scope.tenant(tenant.id)
    assert database.run(scope, lanes.park(Parked(claim, MODEL, HOUR), 0)) == []
    assert database.run(scope, claims.renew([claim], 30)) == []
    assert database.run(scope, claims.claim(tenant.id, claim.id, 30)) == []


def test_parked_jobs_are_due_when_they_have_waited_for_company(
    database: Database, tenant: Tenant, make_tenant: Callable[[], Tenant]
) -> None:
    park(database, tenant, linger=HOUR)
    assert due(database, tenant) == []
    park(database, tenant)
    park(database, tenant)
    assert due(database, tenant) == [Due(tenant.id, None)]
    assert database.run(Scope.tenant(tenant.id), lanes.waiting(tenant.id)) == [MODEL]
    stranger = make_tenant()
    assert database.run(Scope.tenant(stranger.id), lanes.waiting(tenant.id)) == []
    assert form(database, stranger)[1] == []
    batch, lines = form(database, tenant)
    assert lines == [3]
    assert due(database, tenant) == [Due(tenant.id, batch)]
    assert form(database, tenant)[1] == []


def test_a_batch_holds_no_more_than_it_may(database: Database, tenant: Tenant) -> None:
    for _ in range(5):
        park(database, tenant, "x" * 1000)
    park(database, tenant, model="another")
    assert form(database, tenant, lines=2)[1] == [2]
    assert form(database, tenant, size=3500)[1] == [2]
    assert form(database, tenant, size=10)[1] == [1]
    assert form(database, tenant)[1] == []


def test_one_worker_at_a_time_takes_a_step(database: Database, tenant: Tenant, sql: Callable[[str], None]) -> None:
    park(database, tenant)
    batch, _ = form(database, tenant)
    scope = Scope.tenant(tenant.id)
    first = hold(database, tenant, batch)
    assert database.run(scope, lanes.claim(tenant.id, batch, 60)) == []
    assert due(database, tenant) == []
    assert database.run(scope, lanes.renew(first, 60)) == [batch]
    sql("update provider_batches set lease_until = now() - interval '1 second' where tenant_id = %(t)s")
    second = hold(database, tenant, batch)
    for refused in (
        lanes.renew(first, 60),
        lanes.begin(first),
        lanes.started(first, "remote"),
        lanes.postpone(first),
        lanes.cancelled(first),
        lanes.end(first, "ended"),
    ):
        assert database.run(scope, refused) == []
    assert database.run(scope, lanes.still_open(first)) == []
    assert database.run(scope, lanes.still_open(second)) == [1]
    assert database.run(scope, lanes.started(second, "remote")) == [batch]
    assert due(database, tenant) == []  # the next look at it is seconds away
    sql("update provider_batches set poll_at = now() where tenant_id = %(t)s")
    third = hold(database, tenant, batch)
    assert (third.remote_id, third.unsure) == ("remote", False)
    assert database.run(scope, lanes.end(third, "ended")) == [batch]
    assert database.run(scope, lanes.claim(tenant.id, batch, 60)) == []


def test_a_job_that_is_given_back_waits_for_its_turn_under_a_new_fence(database: Database, tenant: Tenant) -> None:
    claim, other = park(database, tenant), park(database, tenant)
    batch, _ = form(database, tenant)
    held, scope = hold(database, tenant, batch), Scope.tenant(tenant.id)
    assert database.run(scope, lanes.give_back(held, "hedged", "late", overdue_only=True)) == []
    database.run(scope, jobs.cancel(tenant.id, other.id))
    assert database.run(scope, lanes.give_back(held, "hedged", "late")) == [claim.id]
    job = read(database, tenant, claim.id)
    assert (job.status, job.stage.value, job.admitted) == (JobStatus.QUEUED, "route", False)
    assert [(entry.reason, entry.message) for entry in job.history] == [("hedged", "late")]
    assert database.run(scope, claims.finish(tenant.id, [ending_of(claim)], 60)) == []
    (late,) = database.run(scope, lanes.asked(held, [(claim.id, claim.fence)]))
    assert not late.open
    database.run(Scope.system(), backlog.admit())
    (again,) = database.run(scope, claims.claim(tenant.id, claim.id, 30))
    assert again.fence > claim.fence + 1
    assert not again.lane_untried


def test_only_jobs_of_the_batch_are_asked_about(database: Database, tenant: Tenant) -> None:
    inside = park(database, tenant)
    batch, _ = form(database, tenant)
    outside = park(database, tenant)
    held = hold(database, tenant, batch)
    wanted = [(inside.id, inside.fence), (outside.id, outside.fence), (new_id(), 1)]
    found = database.run(Scope.tenant(tenant.id), lanes.asked(held, wanted))
    assert [(one.id, one.open) for one in found] == [(inside.id, True)]


def test_parked_jobs_end_at_their_deadline(database: Database, tenant: Tenant, sql: Callable[[str], None]) -> None:
    claim = park(database, tenant)
    sql("update jobs set deadline = now() - interval '1 second' where tenant_id = %(t)s")
    database.run(Scope.system(), backlog.end_overdue(max_losses=5, limit=1000))
    assert read(database, tenant, claim.id).status is JobStatus.EXPIRED
    assert form(database, tenant)[1] == []


def test_ended_batches_are_deleted_when_they_are_old(
    database: Database, tenant: Tenant, sql: Callable[[str], None]
) -> None:
    park(database, tenant)
    batch, _ = form(database, tenant)
    database.run(Scope.system(), lanes.purge(kept_days=1, limit=10))
    held = hold(database, tenant, batch)
    database.run(Scope.tenant(tenant.id), lanes.end(held, "ended"))
    sql("update provider_batches set ended_at = now() - interval '2 days' where tenant_id = %(t)s")
    assert database.run(Scope.system(), lanes.purge(kept_days=1, limit=10)) == [1]
    assert database.run(Scope.tenant(tenant.id), lanes.renew(held, 60)) == []


def test_what_no_lane_worker_takes_back_is_called_all_the_same(
    database: Database, tenant: Tenant, sql: Callable[[str], None]
) -> None:
    unformed, formed = park(database, tenant, linger=HOUR), park(database, tenant, "formed")
    waits = park(database, tenant, "waits", model="another")
    form(database, tenant)
    late = f"('{unformed.id}', '{formed.id}')"
    sql(f"update jobs set hedge_at = now() - interval '61 s' where tenant_id = %(t)s and id in {late}")  # noqa: S608 - own ids
    assert database.run(Scope.system(), lanes.recall(late_seconds=60, limit=100))[0] >= 2
    for job in (unformed, formed):
        back = read(database, tenant, job.id)
        assert (back.status, back.stage.value, back.admitted) == (JobStatus.QUEUED, "route", False)
        assert back.history[-1].reason == "hedged"
        assert database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, [ending_of(job)], 60)) == []
    assert read(database, tenant, waits.id).stage.value == "lane"
