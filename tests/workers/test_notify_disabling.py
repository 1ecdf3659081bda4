"""Endpoints that are given up, and what becomes of what waits for them."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from conftest import Postgres, Tenant
from workers.conftest import Rows
from workers.notifying import Receiver, add, end, ring, rung

from aico.store import webhooks
from aico.store.scope import Scope
from aico.workers.delivery import DELAYS
from aico.workers.runtime import Runtime


@pytest.fixture
def exhaust(postgres: Postgres) -> Callable[[Tenant], None]:
    """The tenant's deliveries have but one attempt left."""

    def make(tenant: Tenant) -> None:
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            query = "update public.webhook_deliveries set attempts = %s where tenant_id = %s"
            admin.execute(query, (len(DELAYS), tenant.id))

    return make


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (410, "the endpoint answered 410"),
        (500, f"the endpoint answered 500; given up after {len(DELAYS) + 1} attempts"),
    ],
)
def test_an_endpoint_that_is_gone_is_disabled_and_the_others_hear_of_it(
    notifier: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    exhaust: Callable[[Tenant], None],
    postgres: Postgres,
    status: int,
    reason: str,
) -> None:
    receiver.replies = [(status, {}), (200, {})]
    gone = add(notifier, tenant, f"{receiver.url}/gone")
    told = end(notifier, tenant)
    waiting = end(notifier, tenant)
    add(notifier, tenant, f"{receiver.url}/others", "webhook.disabled")
    add(notifier, tenant, f"{receiver.url}/uninterested", "job.failed")
    exhaust(tenant)
    ring(tenant, told.deliveries)
    found = notifier.database.run(Scope.tenant(tenant.id), webhooks.endpoints(tenant.id, gone.id))
    assert [(endpoint.enabled, endpoint.disabled_reason) for endpoint in found] == [(False, reason)]
    assert found[0].disabled_at is not None
    notices = _notices(notifier, tenant, postgres)
    assert [rung(notifier, [notice["id"]]) for notice in notices] == [1]
    ring(tenant, [notices[0]["id"], *waiting.deliveries])
    assert [path for path, _, _ in receiver.received] == ["/gone", "/others"]
    assert json.loads(receiver.received[1][2])["data"] == {"id": str(gone.id), "reason": reason}
    with psycopg.connect(postgres.admin_url) as admin:
        noted = admin.execute(
            "select action, subject, detail ->> 'reason' from public.audit_log"
            " where tenant_id = %s and actor <> 'operator'",
            (tenant.id,),
        ).fetchall()
    assert noted == [("webhook.disabled", str(gone.id), reason)]


def _notices(notifier: Runtime, tenant: Tenant, postgres: Postgres) -> list[dict[str, Any]]:
    with psycopg.connect(postgres.admin_url, row_factory=psycopg.rows.dict_row) as admin:
        query = "select * from public.webhook_deliveries where tenant_id = %s and event = 'webhook.disabled'"
        return admin.execute(query, (tenant.id,)).fetchall()


def test_what_waits_for_a_disabled_endpoint_is_sent_when_it_is_enabled(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    endpoint, scope = add(notifier, tenant, receiver.url), Scope.tenant(tenant.id)
    told = end(notifier, tenant)
    notifier.database.run(scope, webhooks.change(tenant.id, endpoint.id, enabled=False))
    ring(tenant, told.deliveries)
    assert end(notifier, tenant).deliveries == []
    assert receiver.received == []
    changes = [webhooks.change(tenant.id, endpoint.id, enabled=True), webhooks.release(tenant.id, endpoint.id)]
    notifier.database.run_each([(scope, change) for change in changes])
    ring(tenant, told.deliveries)
    assert [row["status"] for row in rows(tenant)] == ["delivered"]
