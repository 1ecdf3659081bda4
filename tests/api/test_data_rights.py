"""Retention, exports and erasures as their routes show them. Workers are played by the task itself."""

import io
import zipfile
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from api.conftest import Connect, Workers, assert_error, assert_problem, wait_until
from conftest import Tenant

from aico.core.keys import make_key
from aico.core.settings import Settings
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers import data
from aico.workers.runtime import Runtime

SERVICE = {"jobs": 30.0, "cache": 7.0, "ledger": 30.0, "files": 30.0, "deliveries": 30.0}


@pytest.fixture
def owner(connect: Connect, service: str, tenant: Tenant, database: Database) -> httpx2.Client:
    """Who may do what concerns all of the tenant's data, and read prompts."""
    key = make_key("owner")
    scopes = ["data:write", "prompts:read", "prompts:write"]
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key, scopes))
    return connect(service, key.secret.get_secret_value())


@pytest.fixture
def work(base_settings: Settings, database: Database, broker: Any) -> Callable[[Tenant, str], None]:
    runtime = Runtime(base_settings, database, broker)
    return lambda tenant, request: data.work_on(runtime, tenant.id, UUID(request))


def test_a_key_without_the_permission_gets_nowhere(api: httpx2.Client) -> None:
    for method, path in (
        ("GET", "/v1/retention"),
        ("PUT", "/v1/retention"),
        ("POST", "/v1/exports"),
        ("GET", "/v1/exports"),
        ("GET", f"/v1/exports/{uuid4()}"),
        ("POST", "/v1/erasures"),
        ("GET", "/v1/erasures"),
        ("GET", f"/v1/erasures/{uuid4()}"),
    ):
        assert_problem(api.request(method, path, json={}), 403, "forbidden")


def test_what_is_said_about_retention_holds_and_the_rest_is_as_the_service_has_it(owner: httpx2.Client) -> None:
    assert owner.get("/v1/retention").json() == {
        "days": dict.fromkeys(SERVICE),
        "effective": SERVICE,
        "maximum": 365,
    }
    said = owner.put("/v1/retention", json={"jobs": 3, "cache": 10}).json()
    assert said == owner.get("/v1/retention").json()
    assert said["days"] == {**dict.fromkeys(SERVICE), "jobs": 3, "cache": 10}
    assert said["effective"] == {**SERVICE, "jobs": 3, "cache": 10}
    assert owner.put("/v1/retention", json={}).json()["effective"] == SERVICE


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"jobs": 0}, 422),
        ({"jobs": -1}, 422),
        ({"jobs": 366}, 400),
        ({"cache": 10**9}, 422),
        ({"jobs": "soon"}, 422),
        ({"prompts": 3}, 422),
        ([], 422),
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(owner: httpx2.Client, body: Any, status: int) -> None:
    owner.put("/v1/retention", json={"jobs": 9})
    assert_problem(owner.put("/v1/retention", json=body), status)
    assert owner.get("/v1/retention").json()["days"]["jobs"] == 9


def test_an_export_is_asked_for_written_and_downloaded(
    owner: httpx2.Client, tenant: Tenant, work: Callable[[Tenant, str], None], broker: Any
) -> None:
    broker.delete("data")
    owner.post("/v1/jobs", json={"prompt": "to be exported"})
    asked = owner.post("/v1/exports")
    assert asked.status_code == 202
    assert asked.headers["Location"] == f"/v1/exports/{asked.json()['id']}"
    assert asked.json()["status"] == "queued"
    assert asked.json()["file_id"] is None
    wait_until(lambda: broker.llen("data") == 1)
    assert_problem(owner.post("/v1/exports"), 409, "conflict")
    work(tenant, asked.json()["id"])
    done = owner.get(asked.headers["Location"]).json()
    assert done["status"] == "completed"
    assert done["counts"]["jobs"] == 1
    assert owner.get("/v1/exports").json() == {"data": [done], "next": None}
    zipped = owner.get(f"/v1/files/{done['file_id']}/content").content
    with zipfile.ZipFile(io.BytesIO(zipped)) as opened:
        assert b"to be exported" in opened.read("jobs.jsonl")
    assert owner.post("/v1/exports").status_code == 202


def test_an_exports_file_is_for_those_who_may_export(
    owner: httpx2.Client, api: httpx2.Client, tenant: Tenant, work: Callable[[Tenant, str], None]
) -> None:
    request = owner.post("/v1/exports").json()["id"]
    work(tenant, request)
    file = owner.get(f"/v1/exports/{request}").json()["file_id"]
    assert api.get(f"/v1/files/{file}").json()["purpose"] == "export"
    assert_error(api.get(f"/v1/files/{file}/content"), 403, "forbidden")
    assert_error(api.delete(f"/v1/files/{file}"), 403, "forbidden")
    assert owner.delete(f"/v1/files/{file}").status_code == 200


def test_an_erasure_is_asked_for_done_and_receipted(
    owner: httpx2.Client, api: httpx2.Client, tenant: Tenant, work: Callable[[Tenant, str], None]
) -> None:
    job = api.post("/v1/jobs", json={"prompt": "to be erased", "tags": ["gdpr"]}).json()["id"]
    kept = api.post("/v1/jobs", json={"prompt": "to be kept"}).json()["id"]
    body = {"scope": {"tag": "gdpr"}, "confirm": f"tenant {tenant.id}"}
    asked = owner.post("/v1/erasures", json=body)
    assert asked.status_code == 202
    assert_problem(owner.post("/v1/erasures", json=body), 409, "conflict")
    work(tenant, asked.json()["id"])
    receipt = owner.get(asked.headers["Location"]).json()
    assert receipt["status"] == "completed"
    assert receipt["scope"] == {"tag": "gdpr"}
    assert receipt["counts"]["jobs"] == 1
    assert len(receipt["sha256"]) == 64
    assert receipt["finished_at"] > receipt["started_at"] > receipt["created_at"]
    assert_problem(api.get(f"/v1/jobs/{job}"), 404)
    assert api.get(f"/v1/jobs/{kept}").status_code == 200
    assert owner.get("/v1/erasures").json()["data"] == [receipt]
    assert_problem(owner.get(f"/v1/exports/{receipt['id']}"), 404)


def test_whoever_waits_for_an_erased_job_hears_that_it_is_gone(
    owner: httpx2.Client, api: httpx2.Client, tenant: Tenant, work: Callable[[Tenant, str], None], workers: Workers
) -> None:
    job = api.post("/v1/jobs", json={"prompt": "waited for"}).json()["id"]
    request = owner.post("/v1/erasures", json={"scope": {"job_ids": [job]}, "confirm": f"tenant {tenant.id}"}).json()
    work(tenant, request["id"])
    assert_problem(api.get(f"/v1/jobs/{job}", params={"wait": 10}), 404)


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({}, 422),
        ({"everything": False}, 422),
        ({"everything": True, "tag": "a"}, 422),
        ({"tag": ""}, 422),
        ({"tag": "a b"}, 422),
        ({"job_ids": []}, 422),
        ({"job_ids": ["x"]}, 422),
        ({"before": "yesterday"}, 422),
        ({"before": "2026-01-01T00:00:00"}, 422),
        ({"some": True}, 422),
    ],
)
def test_an_erasure_that_makes_no_sense_is_refused(
    owner: httpx2.Client, tenant: Tenant, scope: dict[str, Any], status: int
) -> None:
    body = {"scope": scope, "confirm": f"tenant {tenant.id}"}
    assert_problem(owner.post("/v1/erasures", json=body), status)
    assert owner.get("/v1/erasures").json()["data"] == []


def test_an_erasure_needs_the_tenants_name(
    owner: httpx2.Client, admin: psycopg.Connection[Any], tenant: Tenant
) -> None:
    body = {"scope": {"everything": True}, "confirm": "another"}
    assert_problem(owner.post("/v1/erasures", json=body), 400)
    row = admin.execute("select count(*) from data_requests where tenant_id = %s", (tenant.id,)).fetchone()
    assert row == (0,)


def test_another_tenants_requests_cannot_be_seen(
    owner: httpx2.Client, connect: Connect, service: str, make_tenant: Callable[[], Tenant], database: Database
) -> None:
    request = owner.post("/v1/exports").json()["id"]
    other, key = make_tenant(), make_key("owner")
    database.run(Scope.tenant(other.id), api_keys.create(other.id, key, ["data:write"]))
    stranger = connect(service, key.secret.get_secret_value())
    assert_problem(stranger.get(f"/v1/exports/{request}"), 404)
    assert stranger.get("/v1/exports").json()["data"] == []


def test_uploads_are_kept_as_the_tenant_says(owner: httpx2.Client) -> None:
    owner.put("/v1/retention", json={"files": 2})
    file = owner.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", b"{}")}).json()
    assert file["expires_at"] - file["created_at"] == 2 * 86_400
