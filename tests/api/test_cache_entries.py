"""Kept answers as their tenant sees them: listed, read and taken away."""

from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
import redis
from api.caching import SYSTEM, Cached
from api.conftest import Connect, Workers, assert_problem
from api.talking import StreamingWorker, client, working
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


def test_an_entry_shows_what_it_answers_and_where_the_answer_came_from(cached: Cached, api: httpx2.Client) -> None:
    job = cached.keep("When was the library built?", system=SYSTEM, tags=["docs"])
    (shown,) = cached.entries()
    assert (shown["question"], shown["tags"], shown["job_id"]) == ("When was the library built?", ["docs"], job)
    assert (shown["model"], shown["routing"]["provider"], shown["routing"]["cache"]) == (
        "smollm2-135m",
        "local",
        "miss",
    )
    assert (shown["hits"], shown["hit_at"], shown["good"], shown["bad"]) == (0, None, 0, 0)
    assert shown["created_at"] < shown["expires_at"]
    assert "answer" not in shown
    read = api.get(f"/v1/cache/entries/{shown['id']}").json()
    assert read["answer"]["text"] == "Paris."
    assert {name: value for name, value in read.items() if name != "answer"} == shown


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"n": 2}, "off"),
        ({"n": 2, "aico": {"cache": "semantic"}}, "off"),
        ({"temperature": 0.5}, "off"),
        ({"temperature": 0}, "semantic"),
        ({"aico": {"cache": "off"}}, "off"),
    ],
    ids=["several", "several-by-name", "variety", "no-variety", "not-wanted"],
)
def test_what_asks_for_variety_is_neither_read_nor_kept(
    able_service: str,
    database: Database,
    broker: redis.Redis,
    admin: psycopg.Connection[Any],
    tenant: Tenant,
    fields: dict[str, Any],
    mode: str,
) -> None:
    worker = StreamingWorker(database, broker, tenant.id)
    with (
        working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")),
        client(able_service, tenant.key) as asking,
    ):
        body = {"model": "able", "messages": [{"role": "user", "content": "Name a city."}], **fields}
        asking.post("/chat/completions", body=body, cast_to=object)
    assert admin.execute("select cache_mode from jobs where tenant_id = %s", (tenant.id,)).fetchall() == [(mode,)]


def test_entries_come_newest_first_page_by_page(cached: Cached, api: httpx2.Client) -> None:
    for number in range(5):
        cached.keep(f"question {number}")
    seen: list[str] = []
    after = None
    while True:
        params = {"limit": 2} | ({} if after is None else {"after": after})
        page = api.get("/v1/cache/entries", params=params).json()
        seen += [one["question"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = page["next"]
    assert seen == [f"question {number}" for number in range(4, -1, -1)]


def test_a_page_that_ended_with_an_answer_that_has_gone_is_not_taken_for_the_last(
    cached: Cached, api: httpx2.Client
) -> None:
    for number in range(2):
        cached.keep(f"question {number}")
    last = api.get("/v1/cache/entries", params={"limit": 1}).json()["data"][0]["id"]
    assert api.delete(f"/v1/cache/entries/{last}").status_code == 204
    answer = api.get("/v1/cache/entries", params={"limit": 1, "after": last})
    assert_problem(answer, 404, "not_found")
    assert answer.json()["param"] == "after"
    oldest = api.get("/v1/cache/entries").json()["data"][0]["id"]
    assert api.get("/v1/cache/entries", params={"after": oldest}).json()["data"] == []


def test_entries_are_filtered(cached: Cached) -> None:
    cached.keep("Where is the Library?", tags=["a"])
    cached.keep("When does it close?", tags=["b"], system=SYSTEM)
    (library,) = cached.entries(tag="a")
    assert (
        cached.questions(q="LIBRARY") == cached.questions(namespace=library["namespace"]) == ["Where is the Library?"]
    )
    assert cached.questions(q="100%") == cached.questions(model="gpt-5.4") == cached.questions(tag="c") == []
    assert len(cached.entries(model="smollm2-135m")) == 2


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"namespace": "abc"}, "namespace"),
        ({"tag": "no tag"}, "tag"),
        ({"q": ""}, "q"),
        ({"q": "a\x00"}, "q"),
        ({"after": "x"}, "after"),
        ({"limit": 0}, "limit"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(api: httpx2.Client, params: dict[str, Any], param: str) -> None:
    assert assert_problem(api.get("/v1/cache/entries", params=params), 422)["param"] == param


def test_a_deleted_entry_is_not_served_again_and_others_are(
    cached: Cached, api: httpx2.Client, admin: psycopg.Connection[Any], tenant: Tenant
) -> None:
    cached.keep("one")
    cached.keep("two")
    (entry,) = cached.entries(q="one")
    assert api.delete(f"/v1/cache/entries/{entry['id']}").status_code == 204
    assert (cached.served("one"), cached.served("two")) == (False, True)
    assert_problem(api.delete(f"/v1/cache/entries/{entry['id']}"), 404, "not_found")
    assert_problem(api.get(f"/v1/cache/entries/{entry['id']}"), 404, "not_found")
    vectors = admin.execute("select count(*) from cache_vectors where tenant_id = %s", (tenant.id,)).fetchone()
    assert vectors == (1,)
    detail = {"by": "id", "entries": 1}
    assert cached.audited() == [(f"key:{tenant.key_id}", "cache.forgotten", entry["id"], detail)]


def test_answers_are_deleted_by_tag_namespace_and_model_and_altogether(cached: Cached) -> None:
    cached.keep("one", tags=["a"])
    cached.keep("two", tags=["a", "b"])
    cached.keep("three", system=SYSTEM)
    cached.keep("four")
    assert cached.forget(tag="none") == cached.forget(model="gpt-5.4") == cached.forget(namespace="0" * 64) == 0
    assert cached.audited() == []
    assert cached.forget(tag="a") == 2
    assert sorted(map(str, cached.questions())) == ["four", "three"]
    (three,) = cached.entries(q="three")
    assert cached.forget(namespace=three["namespace"]) == 1
    assert cached.forget(model="smollm2-135m") == 1
    assert [subject for _, _, subject, _ in cached.audited()] == ["a", three["namespace"], "smollm2-135m"]
    cached.keep("five")
    assert cached.forget(all="true") == 1
    assert not cached.served("five")
    assert cached.audited()[-1][1:] == ("cache.forgotten", "all", {"by": "all", "entries": 1})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"all": "false"},
        {"tag": "a", "model": "b"},
        {"all": "true", "tag": "a"},
        {"everything": "true"},
        {"all": "x"},
    ],
    ids=["none", "all=false", "two", "all-and-one", "another", "no-boolean"],
)
def test_what_is_to_go_is_said_in_one_way(cached: Cached, api: httpx2.Client, params: dict[str, str]) -> None:
    cached.keep("stays")
    assert_problem(api.delete("/v1/cache/entries", params=params), 422)
    assert cached.questions() == ["stays"]


def test_what_is_named_twice_is_refused(cached: Cached, api: httpx2.Client) -> None:
    cached.keep("stays", tags=["a"])
    assert_problem(api.delete("/v1/cache/entries?tag=b&tag=a"), 422)
    assert cached.questions() == ["stays"]


def test_many_answers_go_in_one_request(
    cached: Cached, api: httpx2.Client, admin: psycopg.Connection[Any], tenant: Tenant
) -> None:
    """More than a transaction deletes."""
    admin.execute(
        "insert into cache_entries (id, tenant_id, namespace, fingerprint, job_id, answer, routing, expires_at)"
        " select gen_random_uuid(), %s, sha256('n'), sha256(number::text::bytea), gen_random_uuid(), '{}', '{}',"
        " now() + interval '1 day' from generate_series(1, 5200) as number",
        (tenant.id,),
    )
    assert api.delete("/v1/cache/entries", params={"all": "true"}).json() == {"entries": 5200}
    assert cached.entries() == []
    assert sum(detail["entries"] for *_, detail in cached.audited()) == 5200
    cached.book()
    assert cached.stats()["entries"] == 0


def test_another_tenants_answers_are_nobodys(
    cached: Cached, connect: Connect, service: str, database: Database
) -> None:
    cached.keep("mine", tags=["a"])
    (entry,) = cached.entries()
    stranger = connect(service, new_tenant(database, tuple(Permission)).key)
    assert stranger.get("/v1/cache/entries").json()["data"] == []
    assert_problem(stranger.get(f"/v1/cache/entries/{entry['id']}"), 404)
    assert_problem(stranger.delete(f"/v1/cache/entries/{entry['id']}"), 404)
    assert_problem(stranger.patch(f"/v1/cache/namespaces/{entry['namespace']}", json={"ttl_seconds": 1}), 404)
    for which in ({"all": "true"}, {"tag": "a"}, {"namespace": entry["namespace"]}):
        assert stranger.delete("/v1/cache/entries", params=which).json() == {"entries": 0}
    assert cached.questions() == ["mine"]
    unknown = {"after": str(uuid4())}
    assert_problem(stranger.get("/v1/cache/entries", params=unknown), 404)
    assert_problem(stranger.get("/v1/cache/entries", params={"after": entry["id"]}), 404)
