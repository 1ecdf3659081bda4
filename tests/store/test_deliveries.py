"""Deliveries: who may attempt them and when, what is kept of that, and when there is no use in trying."""

import threading
import time

import pytest
from conftest import Tenant
from store.telling import DELIVERED, Connection, add, change, claim, due, end_one, rows, settle

from aico.store import webhooks
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.webhooks import DeliveryStatus, Outcome


def test_a_delivery_is_claimed_once_and_settled_by_its_holder(database: Database, tenant: Tenant) -> None:
    endpoint = add(database, tenant, url="https://hooks.test/first")
    made = end_one(database, tenant)
    (held,) = claim(database, tenant, made)
    assert claim(database, tenant, made) == []
    assert (held.id, held.endpoint, held.attempts, held.tries) == (made[0], endpoint, 1, 1)
    assert held.url == "https://hooks.test/first"
    (secret,) = held.secrets
    assert secret.get_secret_value().startswith("whsec_")
    assert secret.get_secret_value() not in repr(held)
    assert settle(database, tenant, held, DELIVERED) == [held.id]
    assert settle(database, tenant, held, Outcome(DeliveryStatus.FAILED, 500, "late")) == []
    assert claim(database, tenant, made) == []


def test_a_lease_that_ran_out_passes_to_the_next(database: Database, tenant: Tenant) -> None:
    add(database, tenant)
    made = end_one(database, tenant)
    (dead,) = claim(database, tenant, made, lease=0.01)
    time.sleep(0.05)
    assert due(database).count(made[0]) == 1
    (alive,) = claim(database, tenant, made)
    assert (alive.id, alive.attempts) == (dead.id, 2)
    assert settle(database, tenant, dead, DELIVERED) == []
    assert settle(database, tenant, alive, DELIVERED) == [alive.id]


def test_a_retry_waits_for_its_time_and_then_rings_at_once(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    add(database, tenant)
    made = end_one(database, tenant)
    assert made[0] not in due(database, quiet=60)  # its first bell may still be under way
    assert made[0] in due(database, quiet=0)
    (held,) = claim(database, tenant, made)
    settle(database, tenant, held, Outcome(DeliveryStatus.PENDING, 503, "busy", retry_seconds=30))
    assert claim(database, tenant, made) == []
    assert made[0] not in due(database)
    (row,) = rows(admin, tenant)
    assert (row["status"], row["attempts"], row["last_status"], row["last_error"]) == ("pending", 1, 503, "busy")
    admin.execute("update public.webhook_deliveries set next_attempt_at = now() where id = %s", (held.id,))
    assert due(database, quiet=60).count(made[0]) == 1
    assert made[0] not in due(database, quiet=60)
    (again,) = claim(database, tenant, made)
    assert (again.id, again.payload, again.attempts) == (held.id, held.payload, 2)


def test_what_is_postponed_costs_no_attempt(database: Database, tenant: Tenant) -> None:
    add(database, tenant)
    made = end_one(database, tenant)
    (held,) = claim(database, tenant, made)
    database.run(Scope.tenant(tenant.id), webhooks.postpone(tenant.id, held, 0))
    assert [again.attempts for again in claim(database, tenant, made)] == [1]


def test_the_log_keeps_the_latest_attempts_alone(database: Database, tenant: Tenant) -> None:
    endpoint = add(database, tenant)
    made = end_one(database, tenant)
    for number in range(25):
        (held,) = claim(database, tenant, made)
        settle(database, tenant, held, Outcome(DeliveryStatus.PENDING, 500 + number, "busy", duration_ms=number))
    (logged,) = database.run(Scope.tenant(tenant.id), webhooks.deliveries(tenant.id, endpoint, delivery=made[0]))
    assert logged.attempts == 25
    assert [entry["number"] for entry in logged.log] == list(range(6, 26))
    assert {key: logged.log[-1][key] for key in ("http_status", "error", "duration_ms")} == {
        "http_status": 524,
        "error": "busy",
        "duration_ms": 24,
    }


def test_a_redelivery_begins_the_schedule_anew_and_refuses_who_is_late(database: Database, tenant: Tenant) -> None:
    endpoint, scope = add(database, tenant), Scope.tenant(tenant.id)
    made = end_one(database, tenant)
    again = webhooks.redeliver(tenant.id, endpoint, made[0])
    assert database.run(scope, again) == []  # still pending
    (late,) = claim(database, tenant, made, lease=0)
    (held,) = claim(database, tenant, made)
    settle(database, tenant, held, DELIVERED)
    (logged,) = database.run(scope, again)
    assert (logged.id, logged.status, logged.attempts) == (held.id, DeliveryStatus.PENDING, 2)
    (anew,) = claim(database, tenant, made)
    assert (anew.id, anew.attempts, anew.tries, anew.payload) == (held.id, 3, 1, held.payload)
    for stale in (late, held):
        assert settle(database, tenant, stale, Outcome(DeliveryStatus.FAILED, 500, "late")) == []
    assert settle(database, tenant, anew, DELIVERED) == [held.id]
    change(database, tenant, endpoint, enabled=False)
    assert database.run(scope, again) == []


def test_what_a_disabled_endpoint_misses_waits_until_it_is_enabled(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    endpoint, scope = add(database, tenant), Scope.tenant(tenant.id)
    (soon,), (outlived,), (held_by_nobody,) = (end_one(database, tenant) for _ in range(3))
    admin.execute(
        "update public.webhook_deliveries set begun_at = now() - interval '85 hours' where id = %s", (outlived,)
    )
    change(database, tenant, endpoint, enabled=False)
    (found,) = database.run(scope, webhooks.endpoints(tenant.id, endpoint))
    assert (found.enabled, found.disabled_reason) == (False, "on request")
    assert found.disabled_at is not None
    assert claim(database, tenant, [held_by_nobody]) == []
    assert {soon, outlived, held_by_nobody}.isdisjoint(due(database))
    (waiting,) = database.run(scope, webhooks.deliveries(tenant.id, endpoint, delivery=soon))
    assert (waiting.status, waiting.next_attempt_at) == (DeliveryStatus.PENDING, None)
    change(database, tenant, endpoint, enabled=True)
    (found,) = database.run(scope, webhooks.endpoints(tenant.id, endpoint))
    assert (found.enabled, found.disabled_at, found.disabled_reason) == (True, None, None)
    assert {soon, held_by_nobody} <= set(due(database))
    assert [held.id for held in claim(database, tenant, [soon, outlived])] == [soon]
    (late,) = database.run(scope, webhooks.deliveries(tenant.id, endpoint, delivery=outlived))
    assert late.status is DeliveryStatus.FAILED
    assert "disabled" in str(late.last_error)


def test_an_endpoint_that_is_enabled_while_its_deliveries_are_held_misses_none(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    endpoint = add(database, tenant)
    made = end_one(database, tenant)
    admin.execute("update public.webhook_endpoints set enabled = false where id = %s", (endpoint,))
    enabling = threading.Thread(target=change, args=(database, tenant, endpoint), kwargs={"enabled": True})
    waiting = "select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))"
    with admin.transaction():
        rung = admin.execute("select * from private.due_deliveries('0 s', 10000)").fetchall()
        assert made[0] not in {row["delivery_id"] for row in rung}
        enabling.start()
        while not admin.execute(waiting).fetchall():
            assert enabling.is_alive()
            admin.execute("select pg_stat_clear_snapshot(), pg_sleep(0.01)")
    enabling.join(10)
    assert [held.id for held in claim(database, tenant, made)] == made


@pytest.mark.parametrize("stale", [False, True])
def test_the_attempt_that_fails_for_good_disables_the_endpoint(
    database: Database, tenant: Tenant, admin: Connection, *, stale: bool
) -> None:
    scope, gone = Scope.tenant(tenant.id), add(database, tenant)
    made = end_one(database, tenant)
    listening, _ = add(database, tenant, "webhook.disabled"), add(database, tenant, "job.completed")
    (held,) = claim(database, tenant, made, lease=0)
    if stale:
        claim(database, tenant, made)
    work = [
        webhooks.settle(tenant.id, held, Outcome(DeliveryStatus.FAILED, 410, "gone")),
        webhooks.disable(tenant.id, held, "gone"),
    ]
    settled, notices = database.run_each([(scope, statement) for statement in work])
    query = "select * from public.audit_log where tenant_id = %s and actor <> 'operator'"
    noted = admin.execute(query, (tenant.id,)).fetchall()
    (endpoint,) = database.run(scope, webhooks.endpoints(tenant.id, gone))
    assert endpoint.enabled is stale
    assert [len(found) for found in (settled, notices, noted)] == ([0] * 3 if stale else [1] * 3)
    if not stale:
        (notice,) = claim(database, tenant, notices)
        assert notice.endpoint == listening
        assert notice.payload["type"] == "webhook.disabled"
        assert notice.payload["data"] == {"id": str(gone), "reason": "gone"}
        assert (noted[0]["actor"], noted[0]["action"], noted[0]["subject"]) == ("notify", "webhook.disabled", str(gone))


def test_old_deliveries_are_purged_unless_their_schedule_is_young(
    database: Database, tenant: Tenant, admin: Connection
) -> None:
    add(database, tenant)
    old, again, young = (end_one(database, tenant)[0] for _ in range(3))
    age = "update public.webhook_deliveries set created_at = now() - interval '9 days', begun_at = %s where id = %s"
    begun = admin.execute("select now() - interval '8 days' as old, now() as young").fetchone()
    assert begun is not None
    admin.execute(age, (begun["old"], old))
    admin.execute(age, (begun["young"], again))
    while database.run(Scope.system(), webhooks.purge(older_than_days=7, limit=1)) == [1]:
        pass
    assert {row["id"] for row in rows(admin, tenant)} == {again, young}
