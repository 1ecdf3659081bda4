"""`chat`: submit and wait in one call; whoever runs out of time polls the job instead."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx2
import pytest
from api.conftest import Workers, assert_problem, wait_until
from conftest import Tenant

LONG = 15
UNWOKEN = 10


@pytest.fixture(params=["/v1/chat", "/chat"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_ended_job_is_answered(api: httpx2.Client, tenant: Tenant, workers: Workers, path: str) -> None:
    wait_until(lambda: workers.listeners() > 0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.post, path, params={"wait": LONG}, json={"prompt": "talk to me"})
        wait_until(lambda: bool(_jobs(api)))
        workers.end(tenant.id, UUID(_jobs(api)[0]))
        response = waiting.result(UNWOKEN)
    body = response.json()
    assert response.status_code == 200
    assert (body["id"], body["answer"]["text"]) == (_jobs(api)[0], "Paris.")
    assert body["routing"]["cache"] == "miss"
    assert "Location" not in response.headers


def test_a_failed_job_is_answered_too(api: httpx2.Client, tenant: Tenant, workers: Workers, path: str) -> None:
    wait_until(lambda: workers.listeners() > 0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.post, path, params={"wait": LONG}, json={"prompt": "fail me"})
        wait_until(lambda: bool(_jobs(api)))
        workers.fail(tenant.id, UUID(_jobs(api)[0]))
        response = waiting.result(UNWOKEN)
    assert (response.status_code, response.json()["status"]) == (200, "failed")


@pytest.mark.parametrize("wait", [0, 0.2])
def test_when_the_time_is_up_the_job_can_be_polled(
    api: httpx2.Client, tenant: Tenant, workers: Workers, path: str, wait: float
) -> None:
    response = api.post(path, params={"wait": wait}, json={"prompt": "too slow"})
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert int(response.headers["Retry-After"]) >= 1
    workers.end(tenant.id, UUID(response.json()["id"]))
    polled = api.get(response.headers["Location"])
    assert (polled.status_code, polled.json()["status"]) == (200, "completed")


def test_an_identical_prompt_is_answered_at_once(
    api: httpx2.Client, tenant: Tenant, workers: Workers, path: str
) -> None:
    first = api.post(path, params={"wait": 0}, json={"prompt": "again and again"}).json()
    workers.end(tenant.id, UUID(first["id"]))
    second = api.post(path, json={"prompt": "again and again"})
    assert (second.status_code, second.json()["routing"]["cache"]) == (200, "exact")


def test_what_could_not_be_a_job_is_refused_at_once(api: httpx2.Client, path: str) -> None:
    assert_problem(api.post(path, json={"prompt": " "}), 422, "invalid_input")
    assert_problem(api.post(path, json={"prompt": "hello", "model": "no-such-model"}), 404, "model_not_found")
    assert _jobs(api) == []


def _jobs(api: httpx2.Client) -> list[str]:
    return [job["id"] for job in api.get("/v1/jobs").json()["data"]]
