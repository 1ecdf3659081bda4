"""Figures of the cache, lifetimes of its namespaces, and who may see and set what."""

from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.caching import SYSTEM, Cached
from api.conftest import Connect, Workers, assert_problem
from conftest import Tenant, new_tenant

from aico.core.access import Permission
from aico.store.blocking import Database


@pytest.fixture
def tenant(database: Database) -> Tenant:
    """Whose key may do everything."""
    return new_tenant(database, tuple(Permission))


@pytest.fixture
def cached(
    api: httpx2.Client, workers: Workers, database: Database, admin: psycopg.Connection[Any], tenant: Tenant
) -> Cached:
    return Cached(api, workers, database, admin, tenant)


def test_a_namespaces_lifetime_is_set_and_what_is_older_is_not_served(
    cached: Cached, api: httpx2.Client, admin: psycopg.Connection[Any], tenant: Tenant
) -> None:
    cached.keep("old", system=SYSTEM)
    cached.keep("elsewhere")
    admin.execute(
        "update cache_entries set created_at = created_at - interval '2 h' where tenant_id = %s", (tenant.id,)
    )
    cached.keep("new", system=SYSTEM)
    (namespace,) = {one["namespace"] for one in cached.entries(q="new")}
    changed = api.patch(f"/v1/cache/namespaces/{namespace}", json={"ttl_seconds": 3600}).raise_for_status().json()
    assert (changed["namespace"], changed["label"], changed["ttl_seconds"]) == (namespace, SYSTEM, 3600)
    assert [cached.served(prompt, system=SYSTEM) for prompt in ("old", "new")] == [False, True]
    assert cached.served("elsewhere")
    listed = {one["namespace"]: one["ttl_seconds"] for one in api.get("/v1/cache/namespaces").json()["data"]}
    assert listed[namespace] == 3600
    assert len(listed) == 2
    assert cached.audited()[0][1:] == ("cache.ttl_set", namespace, {"ttl_seconds": 3600})
    assert api.patch(f"/v1/cache/namespaces/{namespace}", json={"ttl_seconds": None}).json()["ttl_seconds"] is None


@pytest.mark.parametrize(
    ("namespace", "body", "status"),
    [
        ("0" * 64, {"ttl_seconds": 60}, 404),
        ("abc", {"ttl_seconds": 60}, 422),
        ("0" * 64, {"ttl_seconds": 0}, 422),
        ("0" * 64, {"ttl_seconds": True}, 422),
        ("0" * 64, {"ttl_seconds": 10**9}, 422),
        ("0" * 64, {}, 422),
        ("0" * 64, {"ttl_seconds": 60, "state": "serving"}, 422),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    api: httpx2.Client, namespace: str, body: dict[str, Any], status: int
) -> None:
    assert_problem(api.patch(f"/v1/cache/namespaces/{namespace}", json=body), status)


def test_namespaces_are_listed_page_by_page(cached: Cached, api: httpx2.Client) -> None:
    for number in range(3):
        cached.keep("the same question", system=f"You are number {number}.")
    first = api.get("/v1/cache/namespaces", params={"limit": 2}).json()
    second = api.get("/v1/cache/namespaces", params={"limit": 2, "after": first["next"]}).json()
    labels = {one["label"] for one in (*first["data"], *second["data"])}
    assert labels == {f"You are number {number}." for number in range(3)}
    assert (first["has_more"], second["has_more"], second["next"]) == (True, False, None)


def test_stats_tell_what_is_kept_and_how_often_it_was_served(cached: Cached) -> None:
    cached.keep("one", system=SYSTEM)
    cached.keep("two", system=SYSTEM)
    cached.keep("three")
    assert [cached.served("one", system=SYSTEM) for _ in range(3)] == [True] * 3
    cached.book()
    stats = cached.stats()
    assert stats["hits"] == {"exact": 3, "semantic": 0, "shared": 0}
    assert (stats["entries"], stats["max_entries"], stats["max_bytes"]) == (3, 100_000, 2**30)
    assert stats["bytes"] == sum(one["bytes"] for one in cached.entries()) > 0
    assert stats["hit_rate"] == pytest.approx(3 / stats["answers"])
    assert stats["states"] == {"learning": 2}
    first, second = stats["namespaces"]
    assert (first["label"], first["entries"], first["state"], first["cut"], first["judged"]) == (
        SYSTEM,
        2,
        "learning",
        None,
        0,
    )
    assert (second["label"], second["entries"]) == ("", 1)
    assert [one["hits"] for one in cached.entries(q="one")] == [3]


def test_what_is_known_of_a_namespaces_error_is_shown(
    cached: Cached, api: httpx2.Client, admin: psycopg.Connection[Any], tenant: Tenant
) -> None:
    cached.keep("one")
    admin.execute(
        "update cache_namespaces set state = 'serving', cut = 2.5, bound = 0.008, judged = 400, above = 300, wrong = 1"
        " where tenant_id = %s",
        (tenant.id,),
    )
    admin.execute("update tenants set max_error_rate = 0.02 where id = %s", (tenant.id,))
    for one in (*api.get("/v1/cache/namespaces").json()["data"], *cached.stats()["namespaces"]):
        known = [one[name] for name in ("state", "cut", "bound", "target", "judged", "above", "wrong")]
        assert known == ["serving", 2.5, 0.008, 0.02, 400, 300, 1]
    assert cached.stats()["target"] == 0.02


def test_a_tenant_that_keeps_nothing_has_figures_too(cached: Cached) -> None:
    stats = cached.stats()
    assert (stats["entries"], stats["bytes"], stats["hit_rate"], stats["namespaces"]) == (0, 0, None, [])


def test_a_tenants_own_limit_is_shown_where_it_is_less(cached: Cached, api: httpx2.Client) -> None:
    for own, shown in ((5, 5), (10**6, 100_000), (None, 100_000)):
        changed = api.patch("/v1/tenant", json={"cache_max_entries": own}).raise_for_status().json()
        assert changed["cache_max_entries"] == own
        assert cached.stats()["max_entries"] == shown


READS = [("GET", "/v1/cache/entries"), ("GET", f"/v1/cache/entries/{UUID(int=1)}"), ("GET", "/v1/cache/namespaces")]
CHANGES = [
    ("DELETE", "/v1/cache/entries?all=true"),
    ("DELETE", f"/v1/cache/entries/{UUID(int=1)}"),
    ("PATCH", f"/v1/cache/namespaces/{'0' * 64}"),
]


@pytest.mark.parametrize(
    ("scopes", "refused"),
    [
        ((Permission.USAGE_READ,), [*READS, *CHANGES]),
        ((Permission.PROMPTS_READ,), [("GET", "/v1/cache/stats"), *CHANGES]),
        ((Permission.SETTINGS_WRITE,), [("GET", "/v1/cache/stats"), *READS]),
    ],
    ids=["usage", "prompts", "settings"],
)
def test_who_may_do_one_may_not_do_the_others(
    connect: Connect, service: str, database: Database, scopes: tuple[Permission, ...], refused: list[tuple[str, str]]
) -> None:
    client = connect(service, new_tenant(database, scopes).key)
    for method, path in [("GET", "/v1/cache/stats"), *READS, *CHANGES]:
        response = client.request(method, path, json={"ttl_seconds": 60} if method == "PATCH" else None)
        assert (response.status_code == 403) is ((method, path) in refused), (method, path, response.text)


def test_who_may_not_read_prompts_sees_figures_without_their_words(
    cached: Cached, connect: Connect, service: str, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    cached.keep("one", system=SYSTEM)
    admin.execute("update api_keys set scopes = '{usage:read}' where tenant_id = %s", (tenant.id,))
    cached.book()
    (one,) = connect(service, tenant.key).get("/v1/cache/stats").raise_for_status().json()["namespaces"]
    assert (one["label"], one["entries"]) == (None, 1)
