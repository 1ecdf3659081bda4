"""Deliveries to a real receiver: signed, repeated, given up, and side by side."""

import json
from collections.abc import Callable
from datetime import datetime

import openai
import pytest
from conftest import Tenant
from standardwebhooks import Webhook, WebhookVerificationError
from workers.conftest import Rows
from workers.notifying import PATIENCE, Receiver, add, end, ring, rung, side_by_side

from aico.workers import notify
from aico.workers.runtime import Runtime
from aico.workers.sweep import Sweeper


def test_a_delivery_verifies_with_the_standards_library_and_openais(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    secret = add(notifier, tenant, f"{receiver.url}/hook?team=a").get_secret_value()
    job = end(notifier, tenant)
    ring(tenant, job)
    ((path, headers, body),) = receiver.received
    (row,) = rows(tenant)
    assert path == "/hook?team=a"
    assert headers["host"] == receiver.url.removeprefix("http://")
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == str(row["id"])
    payload = Webhook(secret).verify(body, headers)
    assert payload["type"] == "job.completed"
    assert payload["data"] == {"id": str(job), "status": "completed"}
    assert datetime.fromisoformat(payload["timestamp"]).tzinfo is not None
    with openai.OpenAI(api_key="unused") as client:
        assert client.webhooks.unwrap(body, headers, secret=secret).type == payload["type"]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"completed", b"cancelled"), headers)
    assert (row["status"], row["attempts"], row["last_status"], row["last_error"]) == ("delivered", 1, 200, None)


def test_bells_ring_for_deliveries_alone(notifier: Runtime, receiver: Receiver, tenant: Tenant) -> None:
    assert rung(notifier, end(notifier, tenant)) == 0
    add(notifier, tenant, receiver.url, "job.failed")
    assert rung(notifier, end(notifier, tenant)) == 0
    add(notifier, tenant, receiver.url)
    add(notifier, tenant, receiver.url, "job.completed")
    job = end(notifier, tenant)
    assert rung(notifier, job) == 2
    ring(tenant, job)
    assert len(receiver.received) == 2


def test_a_retry_keeps_its_id_and_is_signed_anew(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows, make_due: Callable[[Tenant], None]
) -> None:
    receiver.replies = [(500, {}), (200, {})]
    secret = add(notifier, tenant, receiver.url).get_secret_value()
    job = end(notifier, tenant)
    ring(tenant, job)
    ring(tenant, job)  # not due yet
    (row,) = rows(tenant)
    assert (row["status"], row["last_status"], row["last_error"]) == ("pending", 500, "the endpoint answered 500")
    assert row["wait"].total_seconds() > 0
    make_due(tenant)
    ring(tenant, job)
    (_, first, one), (_, second, two) = receiver.received
    assert (first["webhook-id"], one) == (second["webhook-id"], two)
    for headers in (first, second):
        Webhook(secret).verify(one, headers)
    assert [(row["status"], row["attempts"]) for row in rows(tenant)] == [("delivered", 2)]


@pytest.mark.parametrize(
    ("reply", "status", "least_wait"),
    [
        ((204, {}), "delivered", 0),
        ((302, {"Location": "/elsewhere"}), "pending", 0),
        ((400, {}), "failed", 0),
        ((410, {}), "failed", 0),
        ((408, {}), "pending", 0),
        ((429, {"Retry-After": "7200"}), "pending", 7000),
        ((503, {"Retry-After": "1"}), "pending", 0),
    ],
)
def test_replies(
    notifier: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    rows: Rows,
    reply: tuple[int, dict[str, str]],
    status: str,
    least_wait: float,
) -> None:
    receiver.replies = [reply]
    add(notifier, tenant, receiver.url)
    ring(tenant, end(notifier, tenant))
    (row,) = rows(tenant)
    assert (row["status"], row["last_status"]) == (status, reply[0])
    assert status != "pending" or row["wait"].total_seconds() > least_wait
    assert len(receiver.received) == 1


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_an_endpoint_that_takes_too_long_is_cut_off(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(notify, "TIMEOUT_SECONDS", 0.3)
    add(notifier, tenant, receiver.url + path)
    ring(tenant, end(notifier, tenant))
    (row,) = rows(tenant)
    assert (row["status"], row["last_status"]) == ("pending", None)
    assert row["last_error"].startswith("no answer within")


def test_an_endpoint_that_is_gone_is_tried_again(notifier: Runtime, tenant: Tenant, rows: Rows) -> None:
    add(notifier, tenant, "http://127.0.0.1:9/")
    ring(tenant, end(notifier, tenant))
    (row,) = rows(tenant)
    assert (row["status"], row["last_error"]) == ("pending", "the connection failed: ConnectError")


def test_bells_that_ring_at_the_same_time_deliver_once(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    add(notifier, tenant, receiver.url)
    job = end(notifier, tenant)
    for thread in side_by_side(4, tenant, job):
        thread.join(PATIENCE)
    ring(tenant, job)
    assert len(receiver.received) == 1
    assert [(row["status"], row["attempts"]) for row in rows(tenant)] == [("delivered", 1)]


def test_a_slow_endpoint_holds_up_no_other(notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows) -> None:
    add(notifier, tenant, f"{receiver.url}/slow")
    add(notifier, tenant, f"{receiver.url}/quick")
    threads = side_by_side(2, tenant, end(notifier, tenant))
    for _ in range(2):
        assert receiver.arrived.acquire(timeout=PATIENCE)
    assert {path for path, _, _ in receiver.received} == {"/slow", "/quick"}
    receiver.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [row["status"] for row in rows(tenant)] == ["delivered"] * 2


def test_a_host_with_no_free_lane_costs_no_attempt(
    notifier: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    rows: Rows,
    make_due: Callable[[Tenant], None],
) -> None:
    for _ in range(notify.LANES_PER_HOST):
        add(notifier, tenant, f"{receiver.url}/slow")
    threads = side_by_side(notify.LANES_PER_HOST, tenant, end(notifier, tenant))
    for _ in threads:
        assert receiver.arrived.acquire(timeout=PATIENCE)
    job = end(notifier, tenant)
    ring(tenant, job)
    assert len(receiver.received) == notify.LANES_PER_HOST
    waiting = [row for row in rows(tenant) if row["job_id"] == job]
    assert [(row["status"], row["attempts"]) for row in waiting] == [("pending", 0)] * notify.LANES_PER_HOST
    receiver.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    make_due(tenant)
    ring(tenant, job)
    assert [row["status"] for row in rows(tenant)] == ["delivered"] * 2 * notify.LANES_PER_HOST


def test_tenants_get_their_own(notifier: Runtime, receiver: Receiver, make_tenant: Callable[[], Tenant]) -> None:
    mine, theirs = make_tenant(), make_tenant()
    secrets = {f"/{name}": add(notifier, who, f"{receiver.url}/{name}") for name, who in (("a", mine), ("b", theirs))}
    told = {"/a": end(notifier, mine), "/b": end(notifier, theirs)}
    ring(mine, told["/b"])
    ring(theirs, told["/a"])
    assert receiver.received == []
    ring(mine, told["/a"])
    ring(theirs, told["/b"])
    assert [path for path, _, _ in receiver.received] == ["/a", "/b"]
    for path, headers, body in receiver.received:
        assert json.loads(body)["data"]["id"] == str(told[path])
        Webhook(secrets[path].get_secret_value()).verify(body, headers)


def test_the_sweeper_rings_for_what_is_due(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, make_due: Callable[[Tenant], None]
) -> None:
    receiver.replies = [(500, {}), (200, {})]
    add(notifier, tenant, receiver.url)
    job = end(notifier, tenant)
    ring(tenant, job)
    notifier.redis.delete("notify")
    sweeper = Sweeper(notifier)
    sweeper.sweep()
    assert rung(notifier, job) == 0
    make_due(tenant)
    sweeper.sweep()
    sweeper.sweep()
    assert rung(notifier, job) == 1
    ring(tenant, job)
    assert len(receiver.received) == 2
