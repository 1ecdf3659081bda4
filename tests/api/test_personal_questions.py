"""Questions that only one user's answer fits are not answered with another's."""

from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
import redis
from api.conftest import Connect, Workers, assert_problem
from api.talking import StreamingWorker, client, working
from conftest import Tenant, new_tenant

from aico.core.access import Permission
from aico.store.blocking import Database

PERSONAL = "Where is my order?"
GENERAL = "How do I reset my password?"


@pytest.fixture
def tenant(database: Database) -> Tenant:
    """Whose key may change the tenant's policy too."""
    return new_tenant(database, tuple(Permission))


def ask(api: httpx2.Client, question: str, user: str | None = None, **fields: Any) -> dict[str, Any]:
    metadata = {} if user is None else {"user": user}
    body = {"prompt": question, "metadata": metadata, **fields}
    job: dict[str, Any] = api.post("/v1/jobs", json=body).raise_for_status().json()
    return job


def served(api: httpx2.Client, question: str, user: str | None = None) -> bool:
    return bool(ask(api, question, user)["status"] == "completed")


def answer(api: httpx2.Client, workers: Workers, tenant: Tenant, question: str, user: str | None = None) -> None:
    workers.end(tenant.id, UUID(ask(api, question, user)["id"]))


def namespaces(admin: psycopg.Connection[Any], tenant: Tenant) -> list[bytes]:
    query = "select namespace from jobs where tenant_id = %s order by id"
    return [bytes(namespace) for (namespace,) in admin.execute(query, (tenant.id,))]


def test_a_personal_answer_is_served_to_the_same_user_alone(
    api: httpx2.Client, workers: Workers, tenant: Tenant
) -> None:
    answer(api, workers, tenant, PERSONAL, "ada")
    assert served(api, PERSONAL, "ada")
    assert not served(api, PERSONAL, "bob")
    assert not served(api, PERSONAL)


def test_a_general_answer_is_served_to_all(api: httpx2.Client, workers: Workers, tenant: Tenant) -> None:
    answer(api, workers, tenant, GENERAL, "ada")
    assert [served(api, GENERAL, user) for user in ("ada", "bob", None)] == [True] * 3


def test_where_no_user_is_named_an_answer_can_be_of_nobody(
    api: httpx2.Client, workers: Workers, tenant: Tenant
) -> None:
    answer(api, workers, tenant, PERSONAL)
    assert served(api, PERSONAL)
    assert not served(api, PERSONAL, "ada")


def test_users_do_not_share_a_namespace_so_that_no_search_by_meaning_crosses_them(
    api: httpx2.Client, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    for question in (PERSONAL, "What became of my order?", GENERAL, "How can I reset my password?"):
        for user in ("ada", "bob"):
            ask(api, question, user)
    first_ada, first_bob, second_ada, second_bob, *general = namespaces(admin, tenant)
    assert (first_ada, first_bob) == (second_ada, second_bob)
    assert first_ada != first_bob
    assert set(general).isdisjoint({first_ada, first_bob})
    assert len(set(general)) == 1


def test_the_same_user_of_two_tenants_has_two_namespaces(
    api: httpx2.Client,
    connect: Connect,
    service: str,
    database: Database,
    tenant: Tenant,
    admin: psycopg.Connection[Any],
) -> None:
    other = new_tenant(database)
    ask(api, PERSONAL, "ada")
    ask(connect(service, other.key), PERSONAL, "ada")
    assert namespaces(admin, tenant) != namespaces(admin, other)


@pytest.mark.parametrize("field", ["user", "safety_identifier"])
def test_users_are_told_apart_at_openais_door(
    service: str, tenant: Tenant, database: Database, broker: redis.Redis, admin: psycopg.Connection[Any], field: str
) -> None:
    worker = StreamingWorker(database, broker, tenant.id)
    with client(service, tenant.key) as asking:
        for user in ("ada", "bob"):
            body = {"model": "auto", "messages": [{"role": "user", "content": PERSONAL}], field: user}
            with working(lambda: worker.end(worker.claim(worker.newest()), "On its way.")):
                asking.post("/chat/completions", body=body, cast_to=object)
        asking.post("/chat/completions", body={**body, field: "ada"}, cast_to=object)  # nobody need answer that
    first, second, third = namespaces(admin, tenant)
    assert first == third != second


def test_a_tenant_may_forbid_that_personal_answers_are_kept(
    api: httpx2.Client, workers: Workers, tenant: Tenant
) -> None:
    changed = api.patch("/v1/tenant", json={"cache_personal": "never"}).raise_for_status().json()
    assert changed["cache_personal"] == "never"
    for question, kept in ((PERSONAL, False), (GENERAL, True)):
        answer(api, workers, tenant, question, "ada")
        assert served(api, question, "ada") is kept
    job = ask(api, PERSONAL, "ada", cache="semantic")
    assert job["status"] == "queued"
    workers.end(tenant.id, UUID(job["id"]))
    assert not served(api, PERSONAL, "ada")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"cache_personal": "always"}, "cache_personal"),
        ({"cache_personal": None}, "cache_personal"),
        ({"cache_max_entries": 0}, "cache_max_entries"),
        ({"cache_max_entries": True}, "cache_max_entries"),
        ({"cache_max_entries": 2**31}, "cache_max_entries"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(api: httpx2.Client, change: dict[str, Any], param: str) -> None:
    assert assert_problem(api.patch("/v1/tenant", json=change), 422)["param"] == param
