"""Reading a job and waiting for it: early when it ends, late at the time limit, never for a stranger."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import httpx2
import pytest
from api.conftest import Connect, Workers, assert_problem, wait_until
from conftest import Tenant

from aico.core.ids import new_id
from aico.workers.queue import DONE_CHANNEL

LONG = 15  # seconds; a wait that ends sooner was woken
UNWOKEN = 10  # what a woken wait never reaches, however slow the machine


@pytest.fixture
def job(api: httpx2.Client) -> UUID:
    return UUID(api.post("/v1/jobs", json={"prompt": "wait for me"}).json()["id"])


def _wait(pool: ThreadPoolExecutor, api: httpx2.Client, job: UUID, seconds: float) -> "Future[httpx2.Response]":
    return pool.submit(api.get, f"/v1/jobs/{job}", params={"wait": seconds})


def test_a_wait_ends_when_the_end_is_announced(api: httpx2.Client, tenant: Tenant, job: UUID, workers: Workers) -> None:
    wait_until(lambda: workers.listeners() > 0)
    with ThreadPoolExecutor(3) as pool:
        waiting = [_wait(pool, api, job, LONG) for _ in range(3)]
        time.sleep(0.2)  # so that all of them wait already
        workers.end(tenant.id, job)
        for waited in waiting:
            body = waited.result(UNWOKEN).json()
            assert (body["status"], body["answer"]["text"]) == ("completed", "Paris.")
            assert "Retry-After" not in waited.result().headers


def test_several_ends_are_announced_in_one_message(api: httpx2.Client, tenant: Tenant, workers: Workers) -> None:
    jobs = [UUID(api.post("/v1/jobs", json={"prompt": f"one of {n}"}).json()["id"]) for n in range(3)]
    with ThreadPoolExecutor(3) as pool:
        waiting = [_wait(pool, api, job, LONG) for job in jobs]
        time.sleep(0.2)
        for job in jobs:
            workers.end(tenant.id, job, announce=False)
        workers.broker.publish(DONE_CHANNEL, ",".join(map(str, jobs)))
        assert [waited.result(UNWOKEN).json()["status"] for waited in waiting] == ["completed"] * 3


def test_a_wait_gives_the_state_when_its_time_is_up(api: httpx2.Client, job: UUID) -> None:
    response = api.get(f"/v1/jobs/{job}", params={"wait": 0.2})
    assert (response.status_code, response.json()["status"]) == (200, "queued")
    assert int(response.headers["Retry-After"]) >= 1


def test_a_job_that_ended_before_is_not_waited_for(
    api: httpx2.Client, tenant: Tenant, job: UUID, workers: Workers
) -> None:
    workers.end(tenant.id, job, announce=False)
    with ThreadPoolExecutor(1) as pool:
        assert _wait(pool, api, job, 60).result(UNWOKEN).json()["status"] == "completed"


def test_a_wait_ends_although_nobody_announces(api: httpx2.Client, tenant: Tenant, job: UUID, workers: Workers) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = _wait(pool, api, job, LONG)
        time.sleep(0.2)
        workers.end(tenant.id, job, announce=False)
        assert waiting.result(UNWOKEN).json()["status"] == "completed"


def test_what_is_no_id_on_the_channel_harms_nobody(
    api: httpx2.Client, tenant: Tenant, job: UUID, workers: Workers
) -> None:
    wait_until(lambda: workers.listeners() > 0)
    subscribed = workers.listeners()
    with ThreadPoolExecutor(1) as pool:
        waiting = _wait(pool, api, job, LONG)
        time.sleep(0.2)
        workers.broker.publish(DONE_CHANNEL, "no id,")
        workers.end(tenant.id, job)
        assert waiting.result(UNWOKEN).json()["status"] == "completed"
    wait_until(lambda: workers.listeners() == subscribed)


def test_a_failed_job_says_so(api: httpx2.Client, tenant: Tenant, job: UUID, workers: Workers) -> None:
    workers.fail(tenant.id, job)
    body = api.get(f"/v1/jobs/{job}", params={"wait": LONG}).json()
    assert body["status"] == "failed"
    assert body["finished_at"]
    assert "answer" not in body


def test_a_strangers_job_does_not_exist(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], job: UUID
) -> None:
    stranger = connect(service, make_tenant().key)
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}?wait=5"):
        found = assert_problem(stranger.get(path), 404, "not_found")
        unknown = new_id()
        missing = assert_problem(stranger.get(path.replace(str(job), str(unknown))), 404, "not_found")
        assert found["detail"].replace(str(job), str(unknown)) == missing["detail"]


@pytest.mark.parametrize("malformed", ["1", "no-id", "0" * 33, "%00", "\N{SNOWMAN}"])
def test_a_malformed_id_is_refused(api: httpx2.Client, malformed: str) -> None:
    assert_problem(api.get(f"/v1/jobs/{malformed}"), 422, "invalid_input")


@pytest.mark.parametrize("wait", ["-1", "61", "soon", "nan", "inf", ""])
def test_a_wait_out_of_bounds_is_refused(api: httpx2.Client, job: UUID, wait: str) -> None:
    problem = assert_problem(api.get(f"/v1/jobs/{job}", params={"wait": wait}), 422, "invalid_input")
    assert problem["param"] == "wait"
