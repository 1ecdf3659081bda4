"""Idempotency-Key: the same key and request are the same job, whatever happens in between."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import Connect, Rows, Workers, assert_problem
from conftest import Tenant

KEY = "Idempotency-Key"
PATHS = ("/v1/jobs", "/v1/chat?wait=0")


def send(api: httpx2.Client, key: str, body: dict[str, Any] | None = None, path: str = "/v1/jobs") -> httpx2.Response:
    return api.post(path, json=body or {"prompt": "once"}, headers={KEY: key})


@pytest.mark.parametrize("path", PATHS)
def test_a_repetition_is_answered_with_the_same_job(api: httpx2.Client, tenant: Tenant, rows: Rows, path: str) -> None:
    first = send(api, "a-key", path=path)
    again = send(api, "a-key", path=path)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == f"/v1/jobs/{first.json()['id']}"
    assert rows.jobs(tenant.id) == 1


def test_a_key_may_be_quoted(api: httpx2.Client) -> None:
    first = send(api, '"8e03978e-40d5-43dd-bc93-6894a57f9324"').json()["id"]
    assert send(api, "8e03978e-40d5-43dd-bc93-6894a57f9324").json()["id"] == first
    escaped = send(api, r'"say \"hi\" \\ bye"').json()["id"]
    assert send(api, r'say "hi" \ bye').json()["id"] == escaped


def test_a_finished_job_is_given_back_with_its_answer(api: httpx2.Client, tenant: Tenant, workers: Workers) -> None:
    job = send(api, "done").json()["id"]
    workers.end(tenant.id, UUID(job))
    again = send(api, "done")
    assert (again.status_code, again.json()["answer"]["text"]) == (202, "Paris.")
    chat = api.post("/v1/chat", json={"prompt": "once"}, headers={KEY: "done"})
    assert (chat.status_code, chat.json()["id"]) == (200, job)


def test_an_exact_hit_is_remembered_too(api: httpx2.Client, tenant: Tenant, workers: Workers, rows: Rows) -> None:
    workers.end(tenant.id, UUID(send(api, "first").json()["id"]))
    hit, again = send(api, "second"), send(api, "second")
    assert hit.json()["routing"]["cache"] == "exact"
    assert again.json()["id"] == hit.json()["id"]
    assert rows.jobs(tenant.id) == 2


def test_another_request_under_the_same_key_is_refused(api: httpx2.Client, tenant: Tenant, rows: Rows) -> None:
    send(api, "taken")
    for body in ({"prompt": "twice"}, {"prompt": "once", "class": "batch"}, {"prompt": "once", "priority": 5}):
        problem = assert_problem(send(api, "taken", body), 422, "idempotency_key_reused")
        assert problem["param"] == KEY
    assert rows.jobs(tenant.id) == 1
    assert send(api, "taken", {"prompt": "once", "class": "interactive"}).status_code == 202  # the default, written out


def test_many_at_once_make_one_job(api: httpx2.Client, tenant: Tenant, rows: Rows) -> None:
    keys = [str(uuid.uuid4()) for _ in range(10)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: send(api, keys[number % 10]), range(200)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 10
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 10
    assert rows.jobs(tenant.id) == 10


def test_a_key_means_nothing_to_another_tenant(connect: Connect, service: str, make_tenant: Any) -> None:
    ids = {send(connect(service, make_tenant().key), "shared").json()["id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_refused_request_uses_no_key_up(api: httpx2.Client) -> None:
    assert_problem(send(api, "fresh", {"prompt": "x", "model": "no such model"}), 404, "model_not_found")
    assert send(api, "fresh", {"prompt": "x"}).status_code == 202


def test_an_expired_key_is_free_again(api: httpx2.Client, tenant: Tenant, admin: psycopg.Connection[Any]) -> None:
    first = send(api, "old").json()["id"]
    admin.execute("update idempotency_keys set expires_at = now() - interval '1 s' where tenant_id = %s", (tenant.id,))
    assert send(api, "old", {"prompt": "something else"}).json()["id"] != first


def test_an_unquoted_key_may_hold_a_quotation_mark(api: httpx2.Client) -> None:
    assert send(api, '"half').json()["id"] == send(api, '"half').json()["id"]


@pytest.mark.parametrize("key", ["", '""', '" "', "x" * 256, "tab\tinside", "caf\u00e9"])
def test_what_is_no_key_is_refused(api: httpx2.Client, tenant: Tenant, rows: Rows, key: str) -> None:
    response = api.post("/v1/jobs", json={"prompt": "x"}, headers={KEY.encode(): key.encode("latin-1")})
    assert assert_problem(response, 400, "invalid_input")["param"] == KEY
    assert rows.jobs(tenant.id) == 0


def test_two_keys_are_refused(api: httpx2.Client) -> None:
    response = api.post("/v1/jobs", json={"prompt": "x"}, headers=[(KEY, "a"), (KEY, "b")])
    assert_problem(response, 400, "invalid_input")
