"""Health says whether jobs are accepted and whether somebody works on them."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest
import redis
from api.conftest import Connect
from conftest import Tenant

from aico.api.routers.health import NEEDED, STALLED_SECONDS
from aico.workers.runtime import HEARTBEAT_PREFIX

Beat = Callable[..., None]


@pytest.fixture
def client(connect: Connect, service: str) -> httpx2.Client:
    return connect(service)


@pytest.fixture
def beat(broker: redis.Redis) -> Iterator[Beat]:
    """A worker's sign of life, as one that finished something so many seconds ago."""
    keys: list[str] = []

    def make(name: str, seconds_ago: float = 0, process: str = "1") -> None:
        keys.append(f"{HEARTBEAT_PREFIX}:{name}:{process}")
        broker.set(keys[-1], time.time() - seconds_ago)

    yield make
    if keys:
        broker.delete(*keys)


def test_all_is_well(client: httpx2.Client, beat: Beat) -> None:
    for name in NEEDED:
        beat(name)
    beat("route", process="2")
    response = client.get("/health")
    body = response.json()
    assert response.status_code == 200
    assert body["status"] == "ok"
    assert set(body["checks"].values()) == {"ok"}
    assert body["checks"].keys() == {"postgres", "redis", "progress", *(f"worker {name}" for name in NEEDED)}
    assert {worker["name"]: worker["processes"] for worker in body["workers"]} == {
        **dict.fromkeys(NEEDED, 1),
        "route": 2,
    }


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_worker_degrades(client: httpx2.Client, beat: Beat, missing: str) -> None:
    for name in NEEDED:
        if name != missing:
            beat(name)
    response = client.get("/health")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["checks"][f"worker {missing}"] == "missing"


def test_jobs_that_wait_for_idle_workers_are_a_stall(
    client: httpx2.Client, connect: Connect, service: str, tenant: Tenant, beat: Beat, admin: psycopg.Connection[Any]
) -> None:
    submitted = connect(service, tenant.key).post("/v1/jobs", json={"prompt": "old", "class": "batch"}).json()
    for name in NEEDED:
        beat(name, seconds_ago=2 * STALLED_SECONDS)
    admin.execute(
        "update public.jobs set created_at = now() - %s where id = %s",
        (timedelta(seconds=3 * STALLED_SECONDS), submitted["id"]),
    )
    stalled = client.get("/health").json()
    assert (stalled["status"], stalled["checks"]["progress"]) == ("degraded", "stalled")
    waiting = {queue["class"]: queue for queue in stalled["queues"]}["batch"]
    assert waiting["waiting"] >= 1
    assert waiting["oldest_seconds"] >= 3 * STALLED_SECONDS
    beat("embed")
    beat("route")
    assert client.get("/health").json()["status"] == "ok"


def test_liveness_asks_nobody(client: httpx2.Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
