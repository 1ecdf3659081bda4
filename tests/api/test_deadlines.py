"""Deadlines, priorities and retries as callers give them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from api.conftest import Rows, assert_problem
from conftest import Tenant

from aico.store import backlog, jobs
from aico.store.blocking import Database
from aico.store.scope import Scope


def submit(api: httpx2.Client, **fields: Any) -> dict[str, Any]:
    response = api.post("/v1/jobs", json={"prompt": "by when?", **fields})
    assert response.status_code == 202, response.text
    body: dict[str, Any] = response.json()
    return body


def due(job: dict[str, Any]) -> timedelta:
    deadline, created = (datetime.fromisoformat(job[name]) for name in ("deadline", "created_at"))
    return deadline - created


def test_a_deadline_is_kept_to_the_moment(api: httpx2.Client) -> None:
    wanted = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    for text in (
        wanted.isoformat(),
        wanted.isoformat().replace("+00:00", "Z"),
        (wanted + timedelta(hours=2)).isoformat()[:-6] + "+02:00",
    ):
        assert datetime.fromisoformat(submit(api, deadline=text)["deadline"]) == wanted


@pytest.mark.parametrize(("window", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)])
def test_a_window_is_a_deadline_from_now(api: httpx2.Client, window: str, seconds: int) -> None:
    assert abs(due(submit(api, completion_window=window)).total_seconds() - seconds) < 5


def test_without_either_the_class_decides(api: httpx2.Client) -> None:
    lives = [due(submit(api, **{"class": name})).total_seconds() for name in ("interactive", "standard", "batch")]
    assert lives == [600, 3600, 86_400]


def test_an_expired_job_says_so(api: httpx2.Client, tenant: Tenant, database: Database, admin: Any) -> None:
    job = submit(api, completion_window="1h")["id"]
    admin.execute("update jobs set deadline = now() where id = %s", (job,))
    database.run(Scope.system(), backlog.end_overdue(max_losses=5, limit=10_000))
    read = api.get(f"/v1/jobs/{job}").json()
    assert (read["status"], read["error"]["code"]) == ("expired", "deadline_exceeded")
    assert "deadline" in read["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"deadline": "2020-01-01T00:00:00Z"}, 400, "deadline"),
        ({"deadline": "9999-12-31T23:59:59Z"}, 400, "deadline"),
        ({"deadline": "tomorrow"}, 422, "deadline"),
        ({"deadline": "2030-01-01T00:00:00"}, 422, "deadline"),
        ({"deadline": "2030-13-01T00:00:00Z"}, 422, "deadline"),
        ({"deadline": 1893456000}, 422, "deadline"),
        ({"deadline": True}, 422, "deadline"),
        ({"deadline": ""}, 422, "deadline"),
        ({"completion_window": "8d"}, 400, "completion_window"),
        ({"completion_window": "999999d"}, 400, "completion_window"),
        ({"completion_window": "0s"}, 422, "completion_window"),
        ({"completion_window": "-5m"}, 422, "completion_window"),
        ({"completion_window": "1.5h"}, 422, "completion_window"),
        ({"completion_window": "24"}, 422, "completion_window"),
        ({"completion_window": "24h "}, 422, "completion_window"),
        ({"completion_window": "\u0662\u0664h"}, 422, "completion_window"),
        ({"completion_window": 24}, 422, "completion_window"),
        ({"completion_window": "1h", "deadline": "2030-01-01T00:00:00Z"}, 422, None),
        ({"priority": 86_401}, 422, "priority"),
        ({"priority": 1.5}, 422, "priority"),
        ({"priority": "high"}, 422, "priority"),
        ({"max_retries": -1}, 422, "max_retries"),
        ({"max_retries": 21}, 422, "max_retries"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_stores_nothing(
    api: httpx2.Client, tenant: Tenant, rows: Rows, fields: dict[str, Any], status: int, param: str | None
) -> None:
    problem = assert_problem(api.post("/v1/jobs", json={"prompt": "x", **fields}), status, "invalid_input")
    assert problem.get("param") == param
    assert rows.jobs(tenant.id) == 0


def test_endless_metadata_is_refused(api: httpx2.Client, tenant: Tenant, rows: Rows) -> None:
    for metadata in (
        {str(number): "x" for number in range(17)},
        {"k": "x" * 513},
        {"k" * 65: "x"},
        {"": "x"},
        {"k": {"nested": "x"}},
        {"k": 1},
        {"k": "\x00"},
    ):
        assert_problem(api.post("/v1/jobs", json={"prompt": "x", "metadata": metadata}), 422, "invalid_input")
    assert_problem(api.post("/v1/jobs", json={"prompt": "x", "metadata": {"k": "x" * 9_000_000}}), 413)
    assert rows.jobs(tenant.id) == 0


def test_priority_and_retries_are_stored(api: httpx2.Client, tenant: Tenant, database: Database, admin: Any) -> None:
    job = submit(api, priority=60, max_retries=0)["id"]
    row = admin.execute("select created_at - place, max_retries from jobs where id = %s", (job,)).fetchone()
    assert row == (timedelta(seconds=60), 0)
    (read,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, UUID(job)))
    assert read.retries == 0
