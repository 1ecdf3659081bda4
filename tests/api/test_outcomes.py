"""How good the models' answers were, over HTTP: with an interval wherever a rate is shown."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from api.conftest import Connect, Workers, assert_problem
from conftest import Tenant

from aico.core.estimates import wilson

PATH = "/v1/outcomes"
MODEL = "smollm2-135m"


@pytest.fixture
def answered(api: httpx2.Client, tenant: Tenant, workers: Workers) -> Callable[[], str]:
    def make() -> str:
        job = UUID(api.post("/v1/jobs", json={"prompt": f"What is the capital of France? {uuid4()}"}).json()["id"])
        workers.end(tenant.id, job)
        return str(job)

    return make


def test_feedback_is_shown_as_a_mean_with_what_can_be_relied_upon(
    api: httpx2.Client, answered: Callable[[], str]
) -> None:
    for score in (1, 1, 0.5):
        api.post("/v1/feedback", json={"job_id": answered(), "score": score})
    view = api.get(PATH).json()
    interval = wilson(2.5, 3)
    row = {"model": MODEL, "task": None, "source": "user", "n": 3, "mean": 2.5 / 3}
    assert view["outcomes"] == [{**row, "low": interval.low, "high": interval.high}]
    assert view["pairs"] == []
    assert api.get(PATH, params={"model": "another"}).json()["outcomes"] == []
    assert api.get(PATH, params={"since": "2999-01-01"}).json()["outcomes"] == []


def test_pairs_are_shown_with_the_rate_of_those_that_were_decided(
    api: httpx2.Client, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    insert = "insert into public.pair_rollups values (%s, current_date - %s, 'a', 'b', '', %s, %s, %s)"
    admin.execute(insert, (tenant.id, 0, 6, 2, 1))
    admin.execute(insert, (tenant.id, 1, 0, 5, 1))
    (pair,) = api.get(PATH, params={"model": "b"}).json()["pairs"]
    interval = wilson(6, 8)
    assert pair == {
        "model": "a",
        "rival": "b",
        "wins": 6,
        "ties": 7,
        "losses": 2,
        "win_rate": 0.75,
        "low": interval.low,
        "high": interval.high,
    }
    assert api.get(PATH, params={"since": "2999-01-01"}).json()["pairs"] == []


def test_nobody_sees_another_tenants_outcomes(
    api: httpx2.Client,
    connect: Connect,
    service: str,
    make_tenant: Callable[[], Tenant],
    answered: Callable[[], str],
) -> None:
    api.post("/v1/feedback", json={"job_id": answered(), "thumb": "up"})
    view = connect(service, make_tenant().key).get(PATH).json()
    assert (view["outcomes"], view["pairs"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "0"}, "since"),
        ({"since": "2026-02-30"}, "since"),
        ({"model": ""}, "model"),
    ],
)
def test_what_makes_no_sense_is_refused(api: httpx2.Client, query: dict[str, str], param: str) -> None:
    problem = assert_problem(api.get(PATH, params=query), 422, "invalid_input")
    assert problem["param"] == param


def test_feedback_can_be_read_again_by_its_own_tenant(
    api: httpx2.Client, connect: Connect, service: str, make_tenant: Callable[[], Tenant], answered: Callable[[], str]
) -> None:
    job = answered()
    assert_problem(api.get(f"/v1/feedback/{job}"), 404, "not_found")
    given = api.post("/v1/feedback", json={"job_id": job, "thumb": "down", "comment": "No."}).json()
    assert api.get(f"/v1/feedback/{job}").json() == given
    assert api.post("/v1/feedback", json={"job_id": job, "thumb": "down", "comment": "No."}).json() == given
    stranger = connect(service, make_tenant().key)
    assert_problem(stranger.get(f"/v1/feedback/{job}"), 404, "not_found")
