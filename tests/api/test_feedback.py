"""What callers think of their answers: one judgement a job, of their own jobs alone."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from api.conftest import Connect, Rung, Workers, assert_problem, wait_until
from conftest import Tenant

PATH = "/v1/feedback"

Kept = Callable[[UUID], list[tuple[float, str, str | None]]]


@pytest.fixture
def answered(api: httpx2.Client, tenant: Tenant, workers: Workers) -> UUID:
    """A job that has its answer."""
    job = UUID(api.post("/v1/jobs", json={"prompt": f"What is the capital of France? {uuid4()}"}).json()["id"])
    workers.end(tenant.id, job)
    return job


@pytest.fixture
def kept(admin: psycopg.Connection[Any]) -> Kept:
    def find(job: UUID) -> list[tuple[float, str, str | None]]:
        query = "select score, source, comment from public.feedback where job_id = %s"
        return [(score, source, comment) for score, source, comment in admin.execute(query, (job,))]

    return find


@pytest.mark.parametrize(
    ("said", "score"),
    [({"thumb": "up"}, 1.0), ({"thumb": "down"}, 0.0), ({"score": 0.25}, 0.25), ({"score": 1e-60}, 0.0)],
)
def test_a_judgement_is_kept_with_its_reason(
    api: httpx2.Client, answered: UUID, kept: Kept, said: dict[str, Any], score: float
) -> None:
    response = api.post(PATH, json={"job_id": str(answered), "comment": "Because.", **said})
    assert response.status_code == 200, response.text
    view = response.json()
    assert view.pop("created_at")
    assert view == {"job_id": str(answered), "score": score, "comment": "Because."}
    assert kept(answered) == [(score, "user", "Because.")]


def test_a_later_judgement_replaces_the_earlier_one(api: httpx2.Client, answered: UUID, kept: Kept) -> None:
    first = api.post(PATH, json={"job_id": str(answered), "thumb": "up", "comment": "Good."}).json()
    second = api.post(PATH, json={"job_id": str(answered), "score": 0.5}).json()
    assert second["created_at"] > first["created_at"]
    assert kept(answered) == [(0.5, "user", None)]


def test_the_judges_and_what_was_observed_stay_beside_the_callers(
    api: httpx2.Client, tenant: Tenant, answered: UUID, kept: Kept, admin: psycopg.Connection[Any]
) -> None:
    for source in ("judge", "implicit"):
        query = "insert into public.feedback (tenant_id, job_id, score, source) values (%s, %s, 0.5, %s)"
        admin.execute(query, (tenant.id, answered, source))
    api.post(PATH, json={"job_id": str(answered), "thumb": "down"})
    assert sorted(source for _, source, _ in kept(answered)) == ["implicit", "judge", "user"]


def test_a_job_of_another_tenant_is_as_unknown_as_one_that_never_was(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], answered: UUID, kept: Kept
) -> None:
    stranger = connect(service, make_tenant().key)
    for job in (answered, uuid4()):
        problem = assert_problem(stranger.post(PATH, json={"job_id": str(job), "thumb": "up"}), 404, "not_found")
        assert problem["detail"] == f"there is no job {job}"
        assert kept(job) == []


def test_what_has_no_answer_cannot_be_judged(api: httpx2.Client, tenant: Tenant, workers: Workers, kept: Kept) -> None:
    waiting, failed = (UUID(api.post("/v1/jobs", json={"prompt": f"{uuid4()}"}).json()["id"]) for _ in range(2))
    workers.fail(tenant.id, failed)
    for job in (waiting, failed):
        assert_problem(api.post(PATH, json={"job_id": str(job), "thumb": "up"}), 409, "conflict")
        assert kept(job) == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "job_id"),
        ({"job_id": "42", "thumb": "up"}, "job_id"),
        ({"job_id": None, "thumb": "up"}, "job_id"),
        ({"thumb": None}, None),
        ({"thumb": "up", "score": 1}, None),
        ({"thumb": "sideways"}, "thumb"),
        ({"thumb": True}, "thumb"),
        ({"score": 1.01}, "score"),
        ({"score": -0.01}, "score"),
        ({"score": "much"}, "score"),
        ({"thumb": "up", "comment": ""}, "comment"),
        ({"thumb": "up", "comment": " "}, "comment"),
        ({"thumb": "up", "comment": "a" * 2001}, "comment"),
        ({"thumb": "up", "comment": "nul \x00"}, "comment"),
        ({"thumb": "up", "source": "judge"}, "source"),
    ],
)
def test_what_is_no_judgement_is_refused_and_changes_nothing(
    api: httpx2.Client, answered: UUID, kept: Kept, body: dict[str, Any], param: str | None
) -> None:
    job = {} if param == "job_id" else {"job_id": str(answered)}
    problem = assert_problem(api.post(PATH, json={**job, **body}), 422, "invalid_input")
    assert problem.get("param") == param
    assert kept(answered) == []


@pytest.mark.parametrize("content", [b"{", b'{"job_id": NaN}', b'{"comment": "\\ud800"}', b"[]", b"", b"\xff"])
def test_what_is_no_json_object_is_refused(api: httpx2.Client, content: bytes) -> None:
    response = api.post(PATH, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code in {400, 422}
    assert_problem(response, response.status_code)


def test_a_judgement_of_what_the_cache_served_by_meaning_is_computed_with_at_once(
    api: httpx2.Client, tenant: Tenant, answered: UUID, rung: Rung, admin: psycopg.Connection[Any]
) -> None:
    """An answer of its own says nothing of the cache, nor does an exact hit."""
    for cache, queues in (("miss", []), ("exact", []), ("semantic", ["learn"])):
        admin.execute(
            "update jobs set routing = routing || jsonb_build_object('cache', %(c)s::text),"
            " near_entry = gen_random_uuid(), served_from = case when %(c)s <> 'miss' then id end where id = %(j)s",
            {"c": cache, "j": answered},
        )
        api.post(PATH, json={"job_id": str(answered), "thumb": "down"}).raise_for_status()
        admin.execute("delete from cache_checks where kind = 'exact' and job_id = %s", (answered,))
        if queues:
            wait_until(lambda: rung(answered).count("learn") == 1)
        assert [queue for queue in rung(answered) if queue == "learn"] == queues


def test_nobody_judges_without_a_key(connect: Connect, service: str, answered: UUID, kept: Kept) -> None:
    assert_problem(connect(service).post(PATH, json={"job_id": str(answered), "thumb": "up"}), 401, "unauthorized")
    assert kept(answered) == []
