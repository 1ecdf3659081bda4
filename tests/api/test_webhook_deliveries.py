"""The log of what was sent to an endpoint, test events, and sending again by hand."""

import base64
import json
from typing import Any
from uuid import UUID

import httpx2
import redis
from api.conftest import Workers, assert_problem, wait_until
from api.webhooking import PATH, add
from conftest import Tenant

from aico.core.ids import new_id
from aico.store import webhooks
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.webhooks import DeliveryStatus, Outcome


def rung(broker: redis.Redis, delivery: str) -> bool:
    messages: list[Any] = broker.lrange("notify", 0, -1)
    return any(delivery.encode() in base64.b64decode(json.loads(message)["body"]) for message in messages)


def settle(database: Database, tenant: Tenant, delivery: str, outcome: Outcome) -> None:
    scope = Scope.tenant(tenant.id)
    (held,) = database.run(scope, webhooks.claim(tenant.id, UUID(delivery), 60))
    assert database.run(scope, webhooks.settle(tenant.id, held, outcome)) == [held.id]


def test_a_test_event_is_sent_whatever_the_filter_says(
    api: httpx2.Client, tenant: Tenant, broker: redis.Redis, database: Database
) -> None:
    made = add(api, events=["job.expired"])
    one = f"{PATH}/{made['id']}"
    response = api.post(f"{one}/test")
    assert response.status_code == 202
    delivery = response.json()
    assert (delivery["event"], delivery["status"], delivery["attempts"]) == ("webhook.test", "pending", 0)
    wait_until(lambda: rung(broker, delivery["id"]))
    settle(database, tenant, delivery["id"], Outcome(DeliveryStatus.DELIVERED, 204, duration_ms=7))
    shown = api.get(f"{one}/deliveries/{delivery['id']}").json()
    assert (shown["status"], shown["http_status"], shown["error"], shown["duration_ms"]) == ("delivered", 204, None, 7)
    assert shown["payload"].keys() == {"type", "timestamp", "data"}
    assert (shown["payload"]["type"], shown["payload"]["data"]) == ("webhook.test", {"id": made["id"]})
    (attempt,) = shown["log"]
    assert attempt.keys() == {"number", "at", "http_status", "error", "duration_ms"}
    assert (attempt["number"], attempt["http_status"]) == (1, 204)
    api.patch(one, json={"enabled": False})
    assert "disabled" in assert_problem(api.post(f"{one}/test"), 409, "conflict")["detail"]


def test_the_log_is_filtered_and_read_page_by_page(api: httpx2.Client, tenant: Tenant, database: Database) -> None:
    one = f"{PATH}/{add(api)['id']}"
    made = [api.post(f"{one}/test").json()["id"] for _ in range(5)]
    settle(database, tenant, made[0], Outcome(DeliveryStatus.DELIVERED, 200))
    settle(database, tenant, made[1], Outcome(DeliveryStatus.FAILED, 404, "the endpoint answered 404"))
    settle(database, tenant, made[2], Outcome(DeliveryStatus.PENDING, 500, "busy", retry_seconds=600))
    log = f"{one}/deliveries"
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = api.get(log, params={"limit": "2", **after}).json()
        seen += [delivery["id"] for delivery in page["data"]]
        if not page["has_more"]:
            assert page["next"] is None
            break
        after = {"after": page["next"]}
    assert seen == made[::-1]
    for status, expected in (("delivered", made[:1]), ("failed", made[1:2]), ("pending", made[:1:-1])):
        found = api.get(log, params={"status": status}).json()["data"]
        assert [delivery["id"] for delivery in found] == expected
    retried = api.get(log, params={"status": "pending"}).json()["data"][-1]
    assert (retried["http_status"], retried["error"], retried["attempts"]) == (500, "busy", 1)
    assert retried["next_attempt_at"] > retried["created_at"]
    for name, value in (("status", "held"), ("limit", "101"), ("after", "yesterday")):
        assert assert_problem(api.get(log, params={name: value}), 422, "invalid_input")["param"] == name


def test_an_ended_job_is_in_the_log(api: httpx2.Client, tenant: Tenant, workers: Workers) -> None:
    one = f"{PATH}/{add(api, events=['job.completed'])['id']}"
    job = api.post("/v1/jobs", json={"prompt": "tell me"}).json()["id"]
    workers.end(tenant.id, UUID(job))
    (delivery,) = api.get(f"{one}/deliveries").json()["data"]
    assert (delivery["event"], delivery["job_id"], delivery["status"]) == ("job.completed", job, "pending")


def test_an_exact_hit_is_announced_and_rung_for(
    api: httpx2.Client, tenant: Tenant, workers: Workers, broker: redis.Redis
) -> None:
    request = {"prompt": f"again {new_id()}"}
    workers.end(tenant.id, UUID(api.post("/v1/jobs", json=request).json()["id"]))
    one = f"{PATH}/{add(api)['id']}"
    hit = api.post("/v1/jobs", json=request).json()
    assert hit["status"] == "completed"
    (delivery,) = api.get(f"{one}/deliveries").json()["data"]
    assert (delivery["event"], delivery["job_id"]) == ("job.completed", hit["id"])
    wait_until(lambda: rung(broker, delivery["id"]))


def test_a_delivery_is_sent_again_by_hand(
    api: httpx2.Client, tenant: Tenant, database: Database, broker: redis.Redis
) -> None:
    one = f"{PATH}/{add(api)['id']}"
    delivery = api.post(f"{one}/test").json()["id"]
    again = f"{one}/deliveries/{delivery}/redeliver"
    assert "pending" in assert_problem(api.post(again), 409, "conflict")["detail"]
    for outcome in (Outcome(DeliveryStatus.DELIVERED, 200), Outcome(DeliveryStatus.FAILED, 400, "refused")):
        settle(database, tenant, delivery, outcome)
        broker.delete("notify")
        response = api.post(again)
        assert (response.status_code, response.json()["id"]) == (202, delivery)
        assert response.json()["status"] == "pending"
        wait_until(lambda: rung(broker, delivery))
    settle(database, tenant, delivery, Outcome(DeliveryStatus.FAILED, 410, "gone"))
    assert [attempt["number"] for attempt in api.get(again.removesuffix("/redeliver")).json()["log"]] == [1, 2, 3]
    api.patch(one, json={"enabled": False})
    assert "disabled" in assert_problem(api.post(again), 409, "conflict")["detail"]
