"""Cancelling jobs, and replaying those that failed."""

import threading
import time
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import redis
from api.conftest import Connect, Rows, Workers, assert_problem
from conftest import Tenant

from aico.workers.queue import CANCELLED_CHANNEL


def submit(api: httpx2.Client, prompt: str = "to be cancelled", **fields: Any) -> str:
    return str(api.post("/v1/jobs", json={"prompt": prompt, **fields}).json()["id"])


def failed(api: httpx2.Client, workers: Workers, tenant: Tenant, prompt: str, **fields: Any) -> str:
    job = submit(api, prompt, **fields)
    workers.fail(tenant.id, UUID(job))
    return job


def test_a_waiting_job_is_cancelled(api: httpx2.Client) -> None:
    job = submit(api)
    response = api.post(f"/v1/jobs/{job}/cancel")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["error"]["code"]) == ("cancelled", "cancelled")
    assert response.json()["finished_at"]
    assert api.post(f"/v1/jobs/{job}/cancel").json() == response.json()


def test_who_waits_hears_of_it_at_once(api: httpx2.Client, workers: Workers) -> None:
    job = submit(api)
    while not workers.listeners():
        time.sleep(0.05)
    answers: list[httpx2.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(api.get(f"/v1/jobs/{job}", params={"wait": 15})))
    waiting.start()
    time.sleep(0.2)
    api.post(f"/v1/jobs/{job}/cancel")
    waiting.join(10)
    assert answers[0].json()["status"] == "cancelled"


def test_workers_are_told(api: httpx2.Client, broker: redis.Redis) -> None:
    job = submit(api)
    with broker.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(CANCELLED_CHANNEL)
        heard.get_message(timeout=1)
        api.post(f"/v1/jobs/{job}/cancel")
        message = heard.get_message(timeout=5)
    assert message is not None
    assert message["data"] == job


def test_what_has_ended_stays_as_it_is(api: httpx2.Client, workers: Workers, tenant: Tenant) -> None:
    job = submit(api)
    workers.end(tenant.id, UUID(job))
    before = api.get(f"/v1/jobs/{job}").json()
    assert_problem(api.post(f"/v1/jobs/{job}/cancel"), 409, "conflict")
    assert api.get(f"/v1/jobs/{job}").json() == before


@pytest.mark.parametrize("action", ["cancel", "replay"])
def test_foreign_and_unknown_jobs_are_the_same_404(
    api: httpx2.Client, connect: Connect, service: str, make_tenant: Any, action: str
) -> None:
    theirs = connect(service, make_tenant().key)
    job = submit(theirs)
    for unknown in (job, str(uuid4())):
        assert_problem(api.post(f"/v1/jobs/{unknown}/{action}"), 404, "not_found")
        assert_problem(api.get(f"/v1/jobs/{unknown}"), 404, "not_found")
    assert_problem(api.post(f"/v1/jobs/not-an-id/{action}"), 422)
    assert theirs.get(f"/v1/jobs/{job}").json()["status"] == "queued"


def test_dead_letters_are_listed_and_filtered(api: httpx2.Client, workers: Workers, tenant: Tenant) -> None:
    letters = [failed(api, workers, tenant, f"letter {number}") for number in range(3)]
    batch = failed(api, workers, tenant, "batch letter", **{"class": "batch"})
    submit(api, "alive")
    first = api.get("/v1/dead-letters", params={"limit": 2}).json()
    assert [job["id"] for job in first["data"]] == [batch, letters[2]]
    rest = api.get("/v1/dead-letters", params={"limit": 2, "after": first["next"]}).json()
    assert [job["id"] for job in rest["data"]] == [letters[1], letters[0]]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    chosen = api.get("/v1/dead-letters", params={"class": "batch", "status": "failed"}).json()
    assert [job["id"] for job in chosen["data"]] == [batch]
    assert api.get("/v1/dead-letters", params={"status": "expired"}).json()["data"] == []
    assert_problem(api.get("/v1/dead-letters", params={"status": "completed"}), 422)


def test_one_letter_is_replayed_once(api: httpx2.Client, workers: Workers, tenant: Tenant) -> None:
    letter = failed(api, workers, tenant, "again please")
    response = api.post(f"/v1/jobs/{letter}/replay")
    assert response.status_code == 202
    new = response.json()
    assert (new["status"], new["replay_of"]) == ("queued", letter)
    assert response.headers["Location"] == f"/v1/jobs/{new['id']}"
    assert api.get(f"/v1/jobs/{letter}").json()["replayed_as"] == new["id"]
    assert new["id"] in assert_problem(api.post(f"/v1/jobs/{letter}/replay"), 409, "conflict")["detail"]
    assert api.get("/v1/dead-letters").json()["data"] == []
    assert_problem(api.post(f"/v1/jobs/{new['id']}/replay"), 409, "conflict")


def test_letters_are_replayed_by_filter(api: httpx2.Client, workers: Workers, tenant: Tenant, rows: Rows) -> None:
    letters = [failed(api, workers, tenant, f"many {number}", metadata={"team": "a"}) for number in range(5)]
    other = failed(api, workers, tenant, "not this one", metadata={"team": "b"})
    first = api.post("/v1/dead-letters/replay", json={"metadata": {"team": "a"}, "limit": 3})
    assert first.status_code == 202
    rest = api.post("/v1/dead-letters/replay", json={"metadata": {"team": "a"}, "limit": 3}).json()
    pairs = [*first.json()["replayed"], *rest["replayed"]]
    assert [pair["letter"] for pair in pairs] == letters
    assert (first.json()["has_more"], rest["has_more"]) == (True, False)
    assert rows.jobs(tenant.id) == 11
    assert [job["id"] for job in api.get("/v1/dead-letters").json()["data"]] == [other]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": 1001},
        {"ids": []},
        {"ids": ["x"]},
        {"status": "completed"},
        {"created_since": "yesterday"},
        {"unknown": 1},
        {"error_code": ""},
    ],
)
def test_a_filter_that_means_nothing_is_refused(
    api: httpx2.Client, workers: Workers, tenant: Tenant, body: dict[str, Any], rows: Rows
) -> None:
    failed(api, workers, tenant, "stays")
    assert_problem(api.post("/v1/dead-letters/replay", json=body), 422, "invalid_input")
    assert rows.jobs(tenant.id) == 1
