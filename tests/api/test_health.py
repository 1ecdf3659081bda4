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

from aico.api.routers.health import NEEDED, STALLED_SECONDS, is_stalled
from aico.core.jobs import JobClass
from aico.store.operations import QueueStats
from aico.workers.heartbeat import HEARTBEAT_PREFIX, Beat

MakeBeat = Callable[..., None]


@pytest.fixture
def client(connect: Connect, service: str) -> httpx2.Client:
    return connect(service)


@pytest.fixture
def beat(broker: redis.Redis) -> Iterator[MakeBeat]:
    """A worker's sign of life, as one that finished something so many seconds ago."""
    keys: list[str] = []

    def make(name: str, seconds_ago: float = 0, process: str = "1", busy: int = 0) -> None:
        keys.append(f"{HEARTBEAT_PREFIX}:{name}:host:{process}")
        broker.set(keys[-1], Beat(progress=time.time() - seconds_ago, slots=4, busy=busy).model_dump_json())

    yield make
    if keys:
        broker.delete(*keys)


def test_all_is_well(client: httpx2.Client, beat: MakeBeat) -> None:
    for name in NEEDED:
        beat(name)
    beat("route", process="2", busy=3, seconds_ago=60)
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
    (route,) = [worker for worker in body["workers"] if worker["name"] == "route"]
    assert (route["slots"], route["busy"]) == (8, 3)
    assert route["seconds_since_progress"] < 60, "the latest of its processes counts"
    assert {queue["class"] for queue in body["queues"]} == set(JobClass)


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_worker_degrades(client: httpx2.Client, beat: MakeBeat, missing: str) -> None:
    for name in NEEDED:
        if name != missing:
            beat(name)
    response = client.get("/health")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["checks"][f"worker {missing}"] == "missing"


def test_jobs_that_wait_for_idle_workers_are_a_stall(
    client: httpx2.Client,
    connect: Connect,
    service: str,
    tenant: Tenant,
    beat: MakeBeat,
    admin: psycopg.Connection[Any],
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
    assert waiting["waiting"] + waiting["admitted"] >= 1
    assert waiting["oldest_seconds"] >= 3 * STALLED_SECONDS
    assert waiting["longest_wait_seconds"] >= 3 * STALLED_SECONDS
    beat("embed")
    beat("route")
    assert client.get("/health").json()["status"] == "ok"


def test_liveness_asks_nobody(client: httpx2.Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}


def waiting_for(seconds: float, running_for: float = 0) -> list[QueueStats]:
    oldest = max(seconds, running_for)
    return [QueueStats(JobClass.BATCH, 1, 0, 0, 0, 0, oldest_seconds=oldest, longest_wait_seconds=seconds)]


def test_a_stall_is_a_long_wait_beside_free_slots_while_nothing_moves() -> None:
    now, long_ago = 1000.0, 1000.0 - 2 * STALLED_SECONDS
    idle = Beat(progress=long_ago, slots=4, busy=1)
    assert is_stalled(waiting_for(2 * STALLED_SECONDS), {"route": [idle]}, now)
    assert not is_stalled(waiting_for(STALLED_SECONDS), {"route": [idle]}, now)
    assert not is_stalled([], {"route": [idle]}, now)
    assert not is_stalled(waiting_for(1, running_for=2 * STALLED_SECONDS), {"route": [idle]}, now)
    full = Beat(progress=long_ago, slots=4, busy=4)
    assert not is_stalled(waiting_for(2 * STALLED_SECONDS), {"route": [full]}, now)
    assert is_stalled(waiting_for(2 * STALLED_SECONDS), {"route": [full, idle]}, now)
    moving = Beat(progress=now, slots=1)
    for moved in ("route", "embed"):
        assert not is_stalled(waiting_for(2 * STALLED_SECONDS), {"route": [idle], moved: [idle, moving]}, now)
    assert not is_stalled(waiting_for(2 * STALLED_SECONDS), {}, now), "there is another check for that"
