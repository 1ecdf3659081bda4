"""Endpoints: which of them are told what, how many there may be, and which secrets sign."""

import threading
import time
from collections.abc import Callable
from uuid import UUID

from builders import completed
from conftest import Tenant
from pydantic import SecretStr
from store.telling import DELIVERED, Connection, add, change, claim, due, end, end_one, rows, settle, store

from aico.core.ids import new_id
from aico.core.jobs import JobError, JobStatus
from aico.store import backlog, webhooks
from aico.store.blocking import Database
from aico.store.claims import Ended, Ending
from aico.store.scope import Scope
from aico.store.webhooks import MAX_ENDPOINTS


def test_without_an_endpoint_there_is_nothing_to_deliver(database: Database, tenant: Tenant, admin: Connection) -> None:
    job = store(database, tenant)
    assert end(database, tenant, completed(job, 0)) == [Ended(job, deliveries=[])]
    assert rows(admin, tenant) == []


def test_each_endpoint_is_told_what_it_asked_for(database: Database, tenant: Tenant, admin: Connection) -> None:
    everything, failures = add(database, tenant), add(database, tenant, "job.failed", "job.cancelled")
    change(database, tenant, add(database, tenant), enabled=False)
    good, bad = store(database, tenant), store(database, tenant)
    failed = Ending(bad, 0, JobStatus.FAILED, error=JobError(code="x", message="secret words"))
    ended = {job.id: job.deliveries for job in end(database, tenant, completed(good, 0), failed)}
    found = rows(admin, tenant)
    assert [(row["event"], row["endpoint_id"]) for row in found] == [
        ("job.completed", everything),
        *(("job.failed", endpoint) for endpoint in sorted((everything, failures))),
    ]
    assert {job: sorted(made) for job, made in ended.items()} == {
        good: [found[0]["id"]],
        bad: sorted(row["id"] for row in found[1:]),
    }
    payload = found[0]["payload"]
    assert payload.keys() == {"type", "timestamp", "data"}
    assert (payload["type"], payload["data"]) == ("job.completed", {"id": str(good), "status": "completed"})


def test_jobs_of_many_tenants_are_announced_each_to_its_own(
    database: Database, make_tenant: Callable[[], Tenant], admin: Connection
) -> None:
    mine, theirs, deaf = make_tenant(), make_tenant(), make_tenant()
    endpoints = {tenant.id: add(database, tenant) for tenant in (mine, theirs)}
    told = [(mine, new_id()), (theirs, new_id()), (deaf, new_id()), (mine, new_id())]
    made = admin.execute(
        "select * from private.announce(%s::uuid[], %s::uuid[], %s::text[])",
        ([tenant.id for tenant, _ in told], [job for _, job in told], ["completed", "failed", "failed", "expired"]),
    ).fetchall()
    assert {(row["tenant_id"], row["job_id"]) for row in made} == {
        (tenant.id, job) for tenant, job in told if tenant is not deaf
    }
    for tenant in (mine, theirs):
        found = rows(admin, tenant)
        assert {row["endpoint_id"] for row in found} == {endpoints[tenant.id]}
        assert {row["id"] for row in found} == {row["delivery_id"] for row in made if row["tenant_id"] == tenant.id}
    assert [row["event"] for row in rows(admin, mine)] == ["job.completed", "job.expired"]


def test_an_ending_that_is_refused_tells_nobody(database: Database, tenant: Tenant, admin: Connection) -> None:
    add(database, tenant)
    job = store(database, tenant)
    assert len(end(database, tenant, completed(job, 0))) == 1
    assert end(database, tenant, completed(job, 0)) == []
    assert end(database, tenant, completed(store(database, tenant), 7)) == []
    assert len(rows(admin, tenant)) == 1


def test_overdue_jobs_are_told(database: Database, make_tenant: Callable[[], Tenant], admin: Connection) -> None:
    tenant, other = make_tenant(), make_tenant()
    endpoint = add(database, tenant, "job.expired")
    add(database, tenant, "job.completed")
    add(database, other, "job.completed")
    overdue, theirs = store(database, tenant, timeout_seconds=0.01), store(database, other, timeout_seconds=0.01)
    time.sleep(0.05)
    ended = database.run(Scope.system(), backlog.end_overdue(max_losses=5, limit=10_000))
    assert {overdue, theirs} <= {one.id for one in ended}
    (row,) = rows(admin, tenant)
    assert (row["endpoint_id"], row["event"]) == (endpoint, "job.expired")
    assert row["payload"]["data"] == {"id": str(overdue), "status": "expired"}
    assert rows(admin, other) == []
    assert due(database).count(row["id"]) == 1


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
    assert ended == [Ended(job, deliveries=[])]


def test_old_secrets_end_with_the_overlap_and_are_few(database: Database, tenant: Tenant) -> None:
    endpoint, scope = add(database, tenant), Scope.tenant(tenant.id)
    made = [delivery for _ in range(3) for delivery in end_one(database, tenant)]
    secrets = [webhooks.make_secret().get_secret_value() for _ in range(7)]

    def rotate(number: int, overlap: float) -> None:
        statement = webhooks.rotate(tenant.id, endpoint, SecretStr(secrets[number]), overlap)
        assert database.run(scope, statement) == [endpoint]

    def signing(delivery: UUID) -> list[str]:
        (held,) = claim(database, tenant, [delivery])
        return [secret.get_secret_value() for secret in held.secrets]

    for number in range(5):
        rotate(number, 3600)
    assert signing(made[0]) == secrets[4:0:-1]  # the present one, and three before it
    rotate(5, 0.01)
    time.sleep(0.05)
    assert signing(made[1]) == [secrets[5]]
    rotate(6, 0)
    assert signing(made[2]) == [secrets[6]]
    assert database.run(scope, webhooks.rotate(tenant.id, new_id(), webhooks.make_secret(), 0)) == []


def test_no_more_endpoints_than_allowed_even_at_once(database: Database, tenant: Tenant) -> None:
    scope = Scope.tenant(tenant.id)

    def add_one() -> None:
        add = webhooks.add(tenant.id, new_id(), "https://hooks.test/", webhooks.make_secret(), [])
        database.run_each([(scope, webhooks.lock_tenant(tenant.id)), (scope, add)])

    threads = [threading.Thread(target=add_one) for _ in range(MAX_ENDPOINTS + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(database.run(scope, webhooks.endpoints(tenant.id))) == MAX_ENDPOINTS


def test_tenants_never_meet_each_others_deliveries(database: Database, make_tenant: Callable[[], Tenant]) -> None:
    mine, theirs = make_tenant(), make_tenant()
    add(database, mine, url="https://hooks.test/mine")
    endpoint = add(database, theirs, url="https://hooks.test/theirs")
    my_delivery, their_delivery = end_one(database, mine), end_one(database, theirs)
    assert claim(database, mine, their_delivery) == []
    scope = Scope.tenant(mine.id)
    assert database.run(scope, webhooks.claim(theirs.id, their_delivery[0], 60)) == []
    assert [held.url for held in claim(database, mine, my_delivery)] == ["https://hooks.test/mine"]
    (foreign,) = claim(database, theirs, their_delivery)
    assert settle(database, mine, foreign, DELIVERED) == []
    secret = webhooks.make_secret()
    for tenant in (mine, theirs):  # asked for as their own, and by its owner's name
        assert database.run(scope, webhooks.remove(tenant.id, endpoint)) == []
        assert database.run(scope, webhooks.change(tenant.id, endpoint, enabled=False)) == []
        assert database.run(scope, webhooks.rotate(tenant.id, endpoint, secret, 0)) == []
        assert database.run(scope, webhooks.endpoints(tenant.id, endpoint)) == []
        assert database.run(scope, webhooks.test(tenant.id, endpoint)) == []
        assert database.run(scope, webhooks.deliveries(tenant.id, endpoint)) == []
        assert database.run(scope, webhooks.redeliver(tenant.id, endpoint, their_delivery[0])) == []
        assert database.run(scope, webhooks.disable(tenant.id, foreign, "spite")) == []
    (found,) = database.run(Scope.tenant(theirs.id), webhooks.endpoints(theirs.id))
    assert (found.id, found.enabled) == (endpoint, True)


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
