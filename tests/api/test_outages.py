"""A dependency is away: without Redis jobs are still accepted, without Postgres callers are told to come back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx2
import pytest
from api.conftest import DEAD_PORT, Connect, Workers, assert_problem, serving
from conftest import Tenant
from pydantic import SecretStr

from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK


@pytest.fixture(scope="module")
def without_redis(base_settings: Settings) -> Iterator[str]:
    dead = SecretStr(f"redis://{LOOPBACK}:{DEAD_PORT}/0")
    with serving(base_settings.model_copy(update={"redis_url": dead})) as url:
        yield url


@pytest.fixture(scope="module")
def without_postgres(base_settings: Settings) -> Iterator[str]:
    dead = f"postgresql://aico_app@{LOOPBACK}:{DEAD_PORT}/aico"
    with serving(base_settings.model_copy(update={"database_url": dead})) as url:
        yield url


def test_without_redis_jobs_are_accepted_and_answered(
    connect: Connect, without_redis: str, tenant: Tenant, workers: Workers
) -> None:
    client = connect(without_redis, tenant.key)
    submitted = client.post("/v1/jobs", json={"prompt": "no bell"})
    assert submitted.status_code == 202
    job = UUID(submitted.json()["id"])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, f"/v1/jobs/{job}", params={"wait": 15})
        workers.end(tenant.id, job, announce=False)
        assert waiting.result().json()["answer"]["text"] == "Paris."
    again = client.post("/v1/chat", json={"prompt": "no bell"})
    assert (again.status_code, again.json()["status"]) == (200, "completed")


def test_without_redis_health_is_degraded(connect: Connect, without_redis: str) -> None:
    response = connect(without_redis).get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"] == {"postgres": "ok", "redis": "unreachable"}


def test_without_postgres_callers_are_told_to_try_again(
    connect: Connect, without_postgres: str, tenant: Tenant
) -> None:
    client = connect(without_postgres, tenant.key)
    job = f"/v1/jobs/{tenant.id}"
    calls = [
        lambda: client.post("/v1/jobs", json={"prompt": "nowhere to go"}),
        lambda: client.post("/v1/chat", json={"prompt": "nowhere to go"}),
        lambda: client.get(job),
        lambda: client.get("/v1/jobs"),
        lambda: client.get("/costs/summary"),
        lambda: client.get("/providers"),
    ]
    with ThreadPoolExecutor(8) as pool:  # at once: each waits seconds for a connection
        health = pool.submit(client.get, "/health")
        live = pool.submit(client.get, "/health/live")
        responses = list(pool.map(lambda call: call(), calls))
        for response in responses:
            _assert_come_back(response)
        assert health.result().status_code == 503
        assert health.result().json()["status"] == "down"
        assert health.result().json()["checks"]["postgres"] == "unreachable"
        assert live.result().json() == {"status": "ok"}


def _assert_come_back(response: httpx2.Response) -> None:
    problem = assert_problem(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert problem["detail"] == "the database does not answer"  # no address, no user name
