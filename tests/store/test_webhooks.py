"""What endpoints are told: which deliveries come to be, who may attempt them, and when."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import completed, new_job
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from pydantic import SecretStr

from aico.core.ids import new_id
from aico.core.jobs import CacheMode, JobError, JobStatus
from aico.store import backlog, jobs, webhooks
from aico.store.blocking import Database
from aico.store.jobs import Ended, Ending
from aico.store.scope import Scope
from aico.store.webhooks import Delivery, DeliveryStatus, Outcome

Connection = psycopg.Connection[dict[str, Any]]
DELIVERED = Outcome(DeliveryStatus.DELIVERED, 200)


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection


def add(database: Database, tenant: Tenant, *events: str, url: str = "https://hooks.test/a") -> UUID:
    endpoint = new_id()
    statement = webhooks.add(tenant.id, endpoint, url, webhooks.make_secret(), events)
    database.run(Scope.tenant(tenant.id), statement)
    return endpoint


def store(database: Database, tenant: Tenant, *, timeout_seconds: float = 600) -> UUID:
    job = new_job("tell me", mode=CacheMode.OFF, timeout_seconds=timeout_seconds)
    database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    return job.id


def end(database: Database, tenant: Tenant, *endings: Ending) -> list[Ended]:
    return database.run(Scope.tenant(tenant.id), jobs.finish(tenant.id, endings, 60))


def end_one(database: Database, tenant: Tenant) -> UUID:
    job = store(database, tenant)
    assert end(database, tenant, completed(job, 0))
    return job


def claim(database: Database, tenant: Tenant, job: UUID, lease: float = 60) -> list[Delivery]:
    return database.run(Scope.tenant(tenant.id), webhooks.claim(tenant.id, job, lease))


def settle(database: Database, tenant: Tenant, delivery: Delivery, outcome: Outcome) -> list[UUID]:
    return database.run(Scope.tenant(tenant.id), webhooks.settle(tenant.id, delivery, outcome))


def due(database: Database, quiet: float = 0) -> list[UUID]:
    return [row.job for row in database.run(Scope.system(), webhooks.due(quiet_seconds=quiet, limit=10_000))]


def rows(admin: Connection, tenant: Tenant) -> list[dict[str, Any]]:
    query = "select * from public.webhook_deliveries where tenant_id = %s order by event, endpoint_id"
    return admin.execute(query, (tenant.id,)).fetchall()


def test_without_an_endpoint_there_is_nothing_to_deliver(database: Database, tenant: Tenant, admin: Connection) -> None:
    job = store(database, tenant)
    assert end(database, tenant, completed(job, 0)) == [Ended(job, deliveries=0)]
    assert rows(admin, tenant) == []


def test_each_endpoint_is_told_what_it_asked_for(database: Database, tenant: Tenant, admin: Connection) -> None:
    everything, failures = add(database, tenant), add(database, tenant, "job.failed", "job.cancelled")
    disabled = add(database, tenant)
    admin.execute("update public.webhook_endpoints set enabled = false where id = %s", (disabled,))
    good, bad = store(database, tenant), store(database, tenant)
    failed = Ending(bad, 0, JobStatus.FAILED, error=JobError(code="x", message="secret words"))
    ended = end(database, tenant, completed(good, 0), failed)
    assert sorted(ended, key=lambda job: job.deliveries) == [Ended(good, 1), Ended(bad, 2)]
    found = rows(admin, tenant)
    assert [(row["event"], row["endpoint_id"]) for row in found] == [
        ("job.completed", everything),
        *(("job.failed", endpoint) for endpoint in sorted((everything, failures))),
    ]
    payload = found[0]["payload"]
    assert payload.keys() == {"type", "timestamp", "data"}
    assert (payload["type"], payload["data"]) == ("job.completed", {"id": str(good), "status": "completed"})


def test_an_ending_that_is_refused_tells_nobody(database: Database, tenant: Tenant, admin: Connection) -> None:
    add(database, tenant)
    job = end_one(database, tenant)
    assert end(database, tenant, completed(job, 0)) == []
    assert end(database, tenant, completed(store(database, tenant), 7)) == []
    assert len(rows(admin, tenant)) == 1


def test_overdue_jobs_are_told_and_due_at_once(
    database: Database, make_tenant: Callable[[], Tenant], admin: Connection
) -> None:
    tenant, other = make_tenant(), make_tenant()
    endpoint = add(database, tenant, "job.expired")
    add(database, tenant, "job.completed")
    add(database, other, "job.completed")
    overdue, theirs = store(database, tenant, timeout_seconds=0.01), store(database, other, timeout_seconds=0.01)
    time.sleep(0.05)
    assert {overdue, theirs} <= set(database.run(Scope.system(), backlog.end_overdue(max_claims=5, limit=10_000)))
    (row,) = rows(admin, tenant)
    assert (row["endpoint_id"], row["event"]) == (endpoint, "job.expired")
    assert row["payload"]["data"] == {"id": str(overdue), "status": "expired"}
    assert rows(admin, other) == []
    assert due(database, quiet=60).count(overdue) == 1


def test_an_endpoint_removed_while_a_job_ends_fails_nothing(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    endpoint, job = add(database, tenant), store(database, tenant)
    ended: list[Ended] = []
    waiting = "select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))"
    with admin.transaction():
        admin.execute("delete from public.webhook_endpoints where id = %s", (endpoint,))
        thread = threading.Thread(target=lambda: ended.extend(end(database, tenant, completed(job, 0))))
        thread.start()
        while not admin.execute(waiting).fetchall():
            assert thread.is_alive()
            admin.execute("select pg_stat_clear_snapshot(), pg_sleep(0.01)")
    thread.join(10)
    assert ended == [Ended(job, deliveries=0)]


def test_a_delivery_is_claimed_once_and_settled_by_its_holder(database: Database, tenant: Tenant) -> None:
    add(database, tenant, url="https://hooks.test/first")
    job = end_one(database, tenant)
    (held,) = claim(database, tenant, job)
    assert claim(database, tenant, job) == []
    assert (held.attempts, held.url) == (1, "https://hooks.test/first")
    assert held.secret.get_secret_value().startswith("whsec_")
    assert held.secret.get_secret_value() not in repr(held)
    assert settle(database, tenant, held, DELIVERED) == [held.id]
    assert settle(database, tenant, held, Outcome(DeliveryStatus.FAILED, 500, "late")) == []
    assert claim(database, tenant, job) == []


def test_a_lease_that_ran_out_passes_to_the_next(database: Database, tenant: Tenant) -> None:
    add(database, tenant)
    job = end_one(database, tenant)
    (dead,) = claim(database, tenant, job, lease=0.01)
    time.sleep(0.05)
    assert due(database).count(job) == 1
    (alive,) = claim(database, tenant, job)
    assert (alive.id, alive.attempts) == (dead.id, 2)
    assert settle(database, tenant, dead, DELIVERED) == []
    assert settle(database, tenant, alive, DELIVERED) == [alive.id]


def test_a_retry_waits_for_its_time_and_then_rings_at_once(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    add(database, tenant)
    job = end_one(database, tenant)
    assert job not in due(database, quiet=60)  # its first bell may still be under way
    assert job in due(database, quiet=0)
    (held,) = claim(database, tenant, job)
    settle(database, tenant, held, Outcome(DeliveryStatus.PENDING, 503, "busy", retry_seconds=30))
    assert claim(database, tenant, job) == []
    assert job not in due(database)
    (row,) = rows(admin, tenant)
    assert (row["status"], row["attempts"], row["last_status"], row["last_error"]) == ("pending", 1, 503, "busy")
    admin.execute("update public.webhook_deliveries set next_attempt_at = now() where id = %s", (held.id,))
    assert due(database, quiet=60).count(job) == 1
    assert job not in due(database, quiet=60)
    (again,) = claim(database, tenant, job)
    assert (again.id, again.payload, again.attempts) == (held.id, held.payload, 2)


def test_what_is_postponed_costs_no_attempt(database: Database, tenant: Tenant) -> None:
    add(database, tenant)
    job = end_one(database, tenant)
    (held,) = claim(database, tenant, job)
    database.run(Scope.tenant(tenant.id), webhooks.postpone(tenant.id, held, 0))
    assert [again.attempts for again in claim(database, tenant, job)] == [1]


def test_tenants_never_meet_each_others_deliveries(database: Database, make_tenant: Callable[[], Tenant]) -> None:
    mine, theirs = make_tenant(), make_tenant()
    add(database, mine, url="https://hooks.test/mine")
    endpoint = add(database, theirs, url="https://hooks.test/theirs")
    my_job, their_job = end_one(database, mine), end_one(database, theirs)
    assert claim(database, mine, their_job) == []
    assert database.run(Scope.tenant(mine.id), webhooks.claim(theirs.id, their_job, 60)) == []
    assert [held.url for held in claim(database, mine, my_job)] == ["https://hooks.test/mine"]
    (foreign,) = claim(database, theirs, their_job)
    assert settle(database, mine, foreign, DELIVERED) == []
    assert database.run(Scope.tenant(mine.id), webhooks.remove(mine.id, endpoint)) == []
    assert [row.id for row in database.run(Scope.tenant(theirs.id), webhooks.endpoints(theirs.id))] == [endpoint]


def test_endpoints_are_listed_and_go_with_what_they_wait_for(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    scope = Scope.tenant(tenant.id)
    first, second = add(database, tenant), add(database, tenant, "job.failed")
    listed = database.run(scope, webhooks.endpoints(tenant.id))
    assert [(row.id, row.events, row.enabled) for row in listed] == [(first, [], True), (second, ["job.failed"], True)]
    end_one(database, tenant)
    assert database.run(scope, webhooks.remove(tenant.id, first)) == [first]
    assert database.run(scope, webhooks.remove(tenant.id, first)) == []
    assert rows(admin, tenant) == []


def test_secrets_differ_and_have_the_standards_form() -> None:
    secrets = {webhooks.make_secret().get_secret_value() for _ in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("whsec_") and len(secret) == len("whsec_") + 44 for secret in secrets)
    assert isinstance(webhooks.make_secret(), SecretStr)
