"""Submitting: answered with 202 once the job is durable, and its bell rung in the right queue."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import Connect, Rows, Rung, Workers, wait_until
from conftest import Tenant

from aico.core.jobs import CacheMode, JobClass
from aico.store import jobs
from aico.store.blocking import Database
from aico.store.scope import Scope


def test_a_prompt_becomes_a_job(api: httpx2.Client, tenant: Tenant, database: Database) -> None:
    response = api.post("/v1/jobs", json={"prompt": "What is a queue?", "metadata": {"team": "support"}})
    assert response.status_code == 202
    body = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{body['id']}"
    assert int(response.headers["Retry-After"]) >= 1
    assert body.keys() == {
        *("id", "status", "class", "created_at", "deadline", "model", "metadata"),
        *("stage", "admitted", "retries", "history"),
    }
    assert (body["stage"], body["admitted"], body["retries"], body["history"]) == ("embed", True, 0, [])
    assert (body["status"], body["class"], body["model"]) == ("queued", "interactive", "auto")
    assert body["metadata"] == {"team": "support"}
    (stored,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, UUID(body["id"])))
    (asked,) = database.run(Scope.tenant(tenant.id), jobs.question(tenant.id, stored.id))
    assert asked.last_user_turn == "What is a queue?"
    assert stored.created_at.isoformat() == body["created_at"].replace("Z", "+00:00")


def test_the_location_reads_the_job_that_was_submitted(api: httpx2.Client) -> None:
    submitted = api.post("/v1/jobs", json={"prompt": "Where am I?", "class": "standard"})
    read = api.get(submitted.headers["Location"])
    assert read.status_code == 200
    assert read.json() == submitted.json()


def test_every_parameter_is_stored(api: httpx2.Client, tenant: Tenant, database: Database) -> None:
    request = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello \U0001f44b"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Go on."},
        ],
        "model": "smollm2-135m",
        "max_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["\n"],
        "seed": -7,
        "class": "batch",
    }
    job = UUID(api.post("/v1/jobs", json=request).json()["id"])
    (stored,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job))
    (asked,) = database.run(Scope.tenant(tenant.id), jobs.question(tenant.id, job))
    kept = asked.model_dump(mode="json", exclude_defaults=True)
    assert kept == {name: value for name, value in request.items() if name != "class"}
    assert stored.job_class is JobClass.BATCH


@pytest.mark.parametrize(
    ("fields", "queue"),
    [
        ({}, "embed"),
        ({"cache": "semantic", "class": "batch"}, "embed"),
        ({"cache": "refresh"}, "embed"),
        ({"cache": "exact"}, "interactive"),
        ({"cache": "off"}, "interactive"),
        ({"cache": "exact", "class": "standard"}, "standard"),
        ({"cache": "off", "class": "batch"}, "batch"),
        ({"temperature": 0.7}, "interactive"),
        ({"temperature": 0}, "embed"),
        ({"temperature": 0.7, "cache": "semantic"}, "embed"),
    ],
)
def test_cache_mode_and_class_choose_the_queue(
    api: httpx2.Client, rung: Rung, fields: dict[str, Any], queue: str
) -> None:
    job = UUID(api.post("/v1/jobs", json={"prompt": f"queue {fields}", **fields}).json()["id"])
    wait_until(lambda: bool(rung(job)))  # the bell rings after the answer, which waits for the commit alone
    assert rung(job) == [queue]


def test_concurrent_submits_each_get_their_own_job(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], database: Database, rows: Rows
) -> None:
    callers = [(tenant, connect(service, tenant.key)) for tenant in (make_tenant() for _ in range(4))]

    def submit(number: int) -> tuple[Tenant, str, UUID]:
        tenant, client = callers[number % len(callers)]
        prompt = f"concurrent {number}"
        response = client.post("/v1/jobs", json={"prompt": prompt})
        assert response.status_code == 202
        return tenant, prompt, UUID(response.json()["id"])

    with ThreadPoolExecutor(40) as pool:
        submitted = list(pool.map(submit, range(200)))
    assert len({job for _, _, job in submitted}) == 200
    assert [rows.jobs(tenant.id) for tenant, _ in callers] == [50] * 4
    for tenant, prompt, job in submitted:
        (asked,) = database.run(Scope.tenant(tenant.id), jobs.question(tenant.id, job))
        assert asked.last_user_turn == prompt


def test_an_identical_prompt_is_answered_at_once_and_recorded(
    api: httpx2.Client, tenant: Tenant, workers: Workers, rows: Rows, rung: Rung, admin: psycopg.Connection[Any]
) -> None:
    first = UUID(api.post("/v1/jobs", json={"prompt": "exactly this"}).json()["id"])
    workers.end(tenant.id, first)
    before = rows.events(tenant.id)
    response = api.post("/v1/jobs", json={"prompt": "exactly this"})
    body = response.json()
    assert response.status_code == 202
    assert "Retry-After" not in response.headers
    assert body["status"] == "completed"
    assert body["answer"]["text"] == "Paris."
    assert (body["routing"]["cache"], body["routing"]["cost_cents"]) == ("exact", "0")
    assert body["finished_at"] >= body["created_at"]
    assert api.get(response.headers["Location"]).json() == body
    assert rows.events(tenant.id) == before + 1
    event = admin.execute(
        "select kind, cost_cents, baseline_cost_cents, api_key_id from public.ledger_outbox where job_id = %s",
        (UUID(body["id"]),),
    ).fetchone()
    assert event == ("exact_hit", 0, 2, tenant.key_id)
    wait_until(lambda: rung(UUID(body["id"])) == ["record"])


@pytest.mark.parametrize("mode", [CacheMode.OFF, CacheMode.REFRESH])
def test_who_does_not_want_the_cache_is_not_served_from_it(
    api: httpx2.Client, tenant: Tenant, workers: Workers, mode: CacheMode
) -> None:
    workers.end(tenant.id, UUID(api.post("/v1/jobs", json={"prompt": "no cache"}).json()["id"]))
    assert api.post("/v1/jobs", json={"prompt": "no cache", "cache": mode}).json()["status"] == "queued"


def test_an_answer_is_no_other_tenants(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], workers: Workers
) -> None:
    first, second = make_tenant(), make_tenant()
    ours, theirs = connect(service, first.key), connect(service, second.key)
    workers.end(first.id, UUID(ours.post("/v1/jobs", json={"prompt": "shared words"}).json()["id"]))
    assert theirs.post("/v1/jobs", json={"prompt": "shared words"}).json()["status"] == "queued"
    assert ours.post("/v1/jobs", json={"prompt": "shared words"}).json()["status"] == "completed"
