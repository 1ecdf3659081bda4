"""Lists of jobs: newest first, page by page, one tenant's only."""

from collections.abc import Callable
from uuid import UUID

import httpx2
import pytest
from api.conftest import Connect, Workers, assert_problem
from conftest import Tenant

from aico.core.ids import new_id


def _submit(api: httpx2.Client, count: int) -> list[str]:
    return [api.post("/v1/jobs", json={"prompt": f"listed {number}"}).json()["id"] for number in range(count)]


def test_pages_are_complete_and_newest_first(api: httpx2.Client) -> None:
    submitted = _submit(api, 5)
    seen: list[str] = []
    sizes = []
    after: dict[str, str] = {}
    while True:
        page = api.get("/v1/jobs", params={"limit": "2", **after}).json()
        seen += [job["id"] for job in page["data"]]
        sizes.append(len(page["data"]))
        if not page["has_more"]:
            assert page["next"] is None
            break
        after = {"after": page["next"]}
    assert seen == submitted[::-1]
    assert sizes == [2, 2, 1]
    assert not api.get("/v1/jobs", params={"limit": "5"}).json()["has_more"]  # just full


def test_a_new_job_does_not_shift_the_next_page(api: httpx2.Client) -> None:
    submitted = _submit(api, 3)
    first = api.get("/v1/jobs", params={"limit": 2}).json()
    _submit(api, 1)
    second = api.get("/v1/jobs", params={"limit": 2, "after": first["next"]}).json()
    assert [job["id"] for job in second["data"]] == submitted[:1]


def test_a_status_filters(api: httpx2.Client, tenant: Tenant, workers: Workers) -> None:
    done, failed, waiting = _submit(api, 3)
    workers.end(tenant.id, UUID(done))
    workers.fail(tenant.id, UUID(failed))
    for status, job in (("completed", done), ("failed", failed), ("queued", waiting)):
        page = api.get("/v1/jobs", params={"status": status}).json()
        assert [(found["id"], found["status"]) for found in page["data"]] == [(job, status)]
    assert api.get("/v1/jobs", params={"status": "expired"}).json() == {"data": [], "has_more": False, "next": None}


def test_nobody_sees_anothers_jobs(connect: Connect, service: str, make_tenant: Callable[[], Tenant]) -> None:
    ours, theirs = (connect(service, make_tenant().key) for _ in range(2))
    submitted = _submit(ours, 2)
    assert theirs.get("/v1/jobs").json()["data"] == []
    assert theirs.get("/v1/jobs", params={"after": submitted[1]}).json()["data"] == []
    assert len(ours.get("/v1/jobs").json()["data"]) == 2


def test_reading_on_after_an_unknown_id_is_allowed(api: httpx2.Client) -> None:
    submitted = _submit(api, 1)
    page = api.get("/v1/jobs", params={"after": str(new_id())}).json()
    assert [job["id"] for job in page["data"]] == submitted


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "101"),
        ("limit", "1e3"),
        ("limit", "many"),
        ("limit", ""),
        ("limit", "9" * 5000),
        ("after", "yesterday"),
        ("after", ""),
        ("after", "\x00"),
        ("status", "done"),
        ("status", ""),
        ("tag", "a\x00b"),
        ("tag", "t" * 65),
    ],
)
def test_weird_parameters_are_refused(api: httpx2.Client, parameter: str, value: str) -> None:
    problem = assert_problem(api.get("/v1/jobs", params={parameter: value}), 422, "invalid_input")
    assert problem["param"] == parameter
