"""Deliveries to a real receiver: signed, repeated, and side by side."""

import json
import logging
from collections.abc import Callable
from datetime import datetime

import openai
import pytest
import structlog
from conftest import Tenant
from standardwebhooks import Webhook, WebhookVerificationError
from workers.conftest import Rows
from workers.notifying import PATIENCE, Receiver, add, end, ring, rung, side_by_side

from aico.core.logs import configure_logging
from aico.store import webhooks
from aico.store.scope import Scope
from aico.workers import notify
from aico.workers.runtime import Runtime
from aico.workers.sweep import Sweeper


def test_a_delivery_verifies_with_the_standards_library_and_openais(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    secret = add(notifier, tenant, f"{receiver.url}/hook?team=a").secret.get_secret_value()
    told = end(notifier, tenant)
    ring(tenant, told.deliveries)
    ((path, headers, body),) = receiver.received
    (row,) = rows(tenant)
    assert path == "/hook?team=a"
    assert headers["host"] == receiver.url.removeprefix("http://")
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == str(row["id"])
    payload = Webhook(secret).verify(body, headers)
    assert payload["type"] == "job.completed"
    assert payload["data"] == {"id": str(told.job), "status": "completed"}
    assert datetime.fromisoformat(payload["timestamp"]).tzinfo is not None
    assert len(body) < 20_000  # the standard's limit; ids and a status cannot come near it
    with openai.OpenAI(api_key="unused") as client:
        client.webhooks.verify_signature(body, headers, secret=secret)
        assert client.webhooks.unwrap(body, headers, secret=secret).type == payload["type"]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"completed", b"cancelled"), headers)
    assert (row["status"], row["attempts"], row["last_status"], row["last_error"]) == ("delivered", 1, 200, None)
    (attempt,) = row["log"]
    assert (attempt["number"], attempt["http_status"], attempt["error"]) == (1, 200, None)
    assert attempt["duration_ms"] >= 0
    assert row["created_at"] <= datetime.fromisoformat(attempt["at"])


def test_while_secrets_overlap_the_old_and_the_new_verify(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    endpoint = add(notifier, tenant, receiver.url)
    new, newest = webhooks.make_secret(), webhooks.make_secret()
    scope = Scope.tenant(tenant.id)
    notifier.database.run(scope, webhooks.rotate(tenant.id, endpoint.id, new, 3600))
    ring(tenant, end(notifier, tenant).deliveries)
    ((_, headers, body),) = receiver.received
    with openai.OpenAI(api_key="unused") as client:
        for secret in (endpoint.secret, new):
            Webhook(secret.get_secret_value()).verify(body, headers)
            client.webhooks.verify_signature(body, headers, secret=secret.get_secret_value())
    notifier.database.run(scope, webhooks.rotate(tenant.id, endpoint.id, newest, 0))
    ring(tenant, end(notifier, tenant).deliveries)
    (_, headers, body) = receiver.received[1]
    Webhook(newest.get_secret_value()).verify(body, headers)
    for secret in (endpoint.secret, new):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret.get_secret_value()).verify(body, headers)


def test_neither_secrets_nor_urls_are_logged(
    notifier: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers)
    configure_logging("INFO")  # as every process does
    root.addHandler(caplog.handler)
    secret = add(notifier, tenant, f"{receiver.url}/hook?token=abc").secret.get_secret_value()
    monkeypatch.setattr(notify, "log", structlog.get_logger())  # another test may have made it log elsewhere
    with structlog.testing.capture_logs() as logged:
        ring(tenant, end(notifier, tenant).deliveries)
    assert len(receiver.received) == 1
    assert [entry["event"] for entry in logged] == ["webhook_attempted"]
    for text in (caplog.text, str(logged)):
        assert "token=abc" not in text
        assert secret not in text


def test_bells_ring_for_deliveries_alone(notifier: Runtime, receiver: Receiver, tenant: Tenant) -> None:
    assert end(notifier, tenant).deliveries == []
    add(notifier, tenant, receiver.url, "job.failed")
    assert end(notifier, tenant).deliveries == []
    assert notifier.redis.llen("notify") == 0
    add(notifier, tenant, receiver.url)
    add(notifier, tenant, receiver.url, "job.completed")
    told = end(notifier, tenant)
    assert rung(notifier, told.deliveries) == len(told.deliveries) == 2
    ring(tenant, told.deliveries[:1])
    assert len(receiver.received) == 1
    ring(tenant, told.deliveries)
    assert len(receiver.received) == 2


def test_a_retry_keeps_its_id_and_is_signed_anew(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows, make_due: Callable[[Tenant], None]
) -> None:
    receiver.replies = [(500, {}), (200, {})]
    secret = add(notifier, tenant, receiver.url).secret.get_secret_value()
    told = end(notifier, tenant)
    ring(tenant, told.deliveries)
    ring(tenant, told.deliveries)  # not due yet
    (row,) = rows(tenant)
    assert (row["status"], row["last_status"], row["last_error"]) == ("pending", 500, "the endpoint answered 500")
    assert row["wait"].total_seconds() > 0
    make_due(tenant)
    ring(tenant, told.deliveries)
    (_, first, one), (_, second, two) = receiver.received
    assert (first["webhook-id"], one) == (second["webhook-id"], two)
    for headers in (first, second):
        Webhook(secret).verify(one, headers)
    (row,) = rows(tenant)
    assert (row["status"], row["attempts"]) == ("delivered", 2)
    assert [(entry["number"], entry["http_status"], entry["error"]) for entry in row["log"]] == [
        (1, 500, "the endpoint answered 500"),
        (2, 200, None),
    ]


def test_bells_that_ring_at_the_same_time_deliver_once(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    add(notifier, tenant, receiver.url)
    (delivery,) = end(notifier, tenant).deliveries
    for thread in side_by_side(tenant, [delivery] * 4):
        thread.join(PATIENCE)
    ring(tenant, [delivery])
    assert len(receiver.received) == 1
    assert [(row["status"], row["attempts"]) for row in rows(tenant)] == [("delivered", 1)]


def test_a_slow_endpoint_holds_up_no_other(notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows) -> None:
    add(notifier, tenant, f"{receiver.url}/slow")
    add(notifier, tenant, f"{receiver.url}/quick")
    threads = side_by_side(tenant, end(notifier, tenant).deliveries)
    for _ in range(2):
        assert receiver.arrived.acquire(timeout=PATIENCE)
    assert {path for path, _, _ in receiver.received} == {"/slow", "/quick"}
    receiver.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [row["status"] for row in rows(tenant)] == ["delivered"] * 2


def test_a_slow_endpoint_leaves_places_of_its_host_to_another_tenants(
    notifier: Runtime, receiver: Receiver, make_tenant: Callable[[], Tenant], rows: Rows
) -> None:
    slow, quick = make_tenant(), make_tenant()
    add(notifier, slow, f"{receiver.url}/slow")
    add(notifier, quick, f"{receiver.url}/quick")
    backlog = [end(notifier, slow).deliveries[0] for _ in range(notify.CALLS_PER_HOST)]
    threads = side_by_side(slow, backlog)
    for _ in range(notify.CALLS_PER_ENDPOINT):
        assert receiver.arrived.acquire(timeout=PATIENCE)
    ring(quick, end(notifier, quick).deliveries)
    assert [row["status"] for row in rows(quick)] == ["delivered"]
    receiver.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(row["status"] for row in rows(slow)) == ["delivered"] * notify.CALLS_PER_ENDPOINT + ["pending"]


def test_a_host_with_no_free_place_costs_no_attempt(
    notifier: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    rows: Rows,
    make_due: Callable[[Tenant], None],
) -> None:
    for _ in range(notify.CALLS_PER_HOST):
        add(notifier, tenant, f"{receiver.url}/slow")
    threads = side_by_side(tenant, end(notifier, tenant).deliveries)
    for _ in threads:
        assert receiver.arrived.acquire(timeout=PATIENCE)
    told = end(notifier, tenant)
    ring(tenant, told.deliveries)
    assert len(receiver.received) == notify.CALLS_PER_HOST
    waiting = [row for row in rows(tenant) if row["job_id"] == told.job]
    assert [(row["status"], row["attempts"], row["log"]) for row in waiting] == [
        ("pending", 0, [])
    ] * notify.CALLS_PER_HOST
    receiver.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    make_due(tenant)
    ring(tenant, told.deliveries)
    assert [row["status"] for row in rows(tenant)] == ["delivered"] * 2 * notify.CALLS_PER_HOST


def test_tenants_get_their_own(notifier: Runtime, receiver: Receiver, make_tenant: Callable[[], Tenant]) -> None:
    mine, theirs = make_tenant(), make_tenant()
    secrets = {
        f"/{name}": add(notifier, who, f"{receiver.url}/{name}").secret for name, who in (("a", mine), ("b", theirs))
    }
    told = {"/a": end(notifier, mine), "/b": end(notifier, theirs)}
    ring(mine, told["/b"].deliveries)
    ring(theirs, told["/a"].deliveries)
    assert receiver.received == []
    ring(mine, told["/a"].deliveries)
    ring(theirs, told["/b"].deliveries)
    assert [path for path, _, _ in receiver.received] == ["/a", "/b"]
    for path, headers, body in receiver.received:
        assert json.loads(body)["data"]["id"] == str(told[path].job)
        Webhook(secrets[path].get_secret_value()).verify(body, headers)


def test_the_sweeper_rings_for_what_is_due(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, make_due: Callable[[Tenant], None]
) -> None:
    receiver.replies = [(500, {}), (200, {})]
    add(notifier, tenant, receiver.url)
    told = end(notifier, tenant)
    ring(tenant, told.deliveries)
    notifier.redis.delete("notify")
    sweeper = Sweeper(notifier)
    sweeper.sweep()
    assert rung(notifier, told.deliveries) == 0
    make_due(tenant)
    sweeper.sweep()
    sweeper.sweep()
    assert rung(notifier, told.deliveries) == 1
    ring(tenant, told.deliveries)
    assert len(receiver.received) == 2
