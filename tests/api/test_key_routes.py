"""`/v1/api-keys`: keys are made, changed, given new secrets and revoked; nobody grants more than he has."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem
from api.identity import audited
from conftest import Tenant, new_tenant

from aico.core.access import KEY_PERMISSIONS, Permission
from aico.core.ids import new_id
from aico.core.keys import hash_key
from aico.store.api_keys import MAX_LIVE
from aico.store.blocking import Database

PATH = "/v1/api-keys"


@pytest.fixture
def owned(database: Database) -> Tenant:
    """A tenant whose key may do everything."""
    return new_tenant(database, tuple(Permission))


@pytest.fixture
def api(connect: Connect, service: str, owned: Tenant) -> httpx2.Client:
    return connect(service, owned.key)


def made(api: httpx2.Client, **body: Any) -> dict[str, Any]:
    response = api.post(PATH, json={"name": "a key", **body})
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_new_key_is_shown_once_and_opens_what_its_scopes_say(
    api: httpx2.Client, connect: Connect, service: str, admin: psycopg.Connection[Any], owned: Tenant
) -> None:
    key = made(api, name="reader", scopes=["prompts:read"])
    client = connect(service, key["secret"])
    assert client.get("/v1/jobs").status_code == 200
    assert_problem(client.post("/v1/jobs", json={"prompt": "may I?"}), 403, "forbidden")
    assert_problem(client.get(PATH), 403, "forbidden")
    shown = api.get(f"{PATH}/{key['id']}").json()
    assert shown == {name: value for name, value in key.items() if name != "secret"}
    assert (shown["state"], shown["scopes"], shown["models"]) == ("live", ["prompts:read"], None)
    assert shown["created_by"] == f"key:{owned.key_id}"
    assert key["secret"].startswith(shown["prefix"])
    stored = admin.execute("select hash from public.api_keys where id = %s", (key["id"],)).fetchone()
    assert stored == (hash_key(key["secret"]),)
    listed = api.get(PATH)
    assert key["secret"] not in listed.text
    assert "hash" not in listed.text
    assert audited(admin, owned.id) == [(f"key:{owned.key_id}", "api_key.created", key["id"])]


def test_a_key_without_scopes_has_those_of_a_program(api: httpx2.Client) -> None:
    assert made(api)["scopes"] == sorted(KEY_PERMISSIONS)


def test_keys_are_listed_newest_first_page_by_page(api: httpx2.Client, owned: Tenant) -> None:
    names = [made(api, name=f"key {number}")["name"] for number in range(5)]
    first = api.get(PATH, params={"limit": 3}).json()
    second = api.get(PATH, params={"limit": 3, "after": first["next"]}).json()
    assert [key["name"] for key in first["data"] + second["data"]] == [*reversed(names), "test"]
    assert (first["has_more"], second["has_more"], second["next"]) == (True, False, None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "nul\x00"}, "name"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": 5}, "expires_at"),
        ({"models": []}, "models"),
        ({"models": ["gpt-17"]}, "models.0"),
        ({"models": ["auto"]}, "models.0"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_what_makes_no_sense_is_refused_and_makes_no_key(api: httpx2.Client, body: dict[str, Any], param: str) -> None:
    problem = assert_problem(api.post(PATH, json={"name": "a key", **body}), 422, "invalid_input")
    assert problem["param"] == param
    assert len(api.get(PATH).json()["data"]) == 1


def test_nobody_grants_what_he_may_not_do_himself(api: httpx2.Client, connect: Connect, service: str) -> None:
    strong = made(api, scopes=[one.value for one in Permission])
    weak = made(api, scopes=["keys:write", "prompts:read"])
    limited = made(api, scopes=[one.value for one in Permission], models=["gpt-5.4"])
    as_weak, as_limited = connect(service, weak["secret"]), connect(service, limited["secret"])
    for response in (
        as_weak.post(PATH, json={"name": "more", "scopes": ["billing:write"]}),
        as_weak.post(PATH, json={"name": "the usual"}),
        as_weak.post(f"{PATH}/{strong['id']}/rotate"),
        as_weak.patch(f"{PATH}/{strong['id']}", json={"expires_at": None}),
        as_limited.post(PATH, json={"name": "all models"}),
        as_limited.post(PATH, json={"name": "another", "models": ["gpt-5.4", "smollm2-135m"]}),
        as_limited.patch(f"{PATH}/{limited['id']}", json={"models": None}),
        as_limited.post(f"{PATH}/{strong['id']}/rotate"),
    ):
        assert_problem(response, 403, "forbidden")
    assert as_weak.post(PATH, json={"name": "less", "scopes": ["prompts:read"]}).status_code == 201
    assert as_limited.post(PATH, json={"name": "the same", "models": ["gpt-5.4"]}).status_code == 201
    assert connect(service, strong["secret"]).get("/v1/jobs").status_code == 200


def test_a_change_leaves_what_it_does_not_name(api: httpx2.Client) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    key = made(api, name="before", expires_at=soon, models=["gpt-5.4"])
    path = f"{PATH}/{key['id']}"
    renamed = api.patch(path, json={"name": "after"}).json()
    assert (renamed["name"], renamed["expires_at"], renamed["models"]) == ("after", key["expires_at"], ["gpt-5.4"])
    freed = api.patch(path, json={"expires_at": None, "models": None}).json()
    assert (freed["name"], freed["expires_at"], freed["models"]) == ("after", None, None)
    assert api.patch(path, json={}).json() == freed
    refused: list[dict[str, Any]] = [
        {"name": None},
        {"scopes": []},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"models": ["gpt-17"]},
    ]
    for body in refused:
        assert_problem(api.patch(path, json=body), 422)
    assert api.get(path).json() == freed


def test_a_rotated_key_keeps_its_id_and_both_secrets_open_until_the_overlap_ends(
    api: httpx2.Client, connect: Connect, service: str, admin: psycopg.Connection[Any]
) -> None:
    key = made(api)
    rotated = api.post(f"{PATH}/{key['id']}/rotate", json={"overlap_seconds": 600}).json()
    assert rotated["id"] == key["id"]
    assert rotated["secret"] != key["secret"]
    until = datetime.fromisoformat(rotated["old_secret_until"]) - datetime.fromisoformat(rotated["rotated_at"])
    assert until == timedelta(seconds=600)
    old, new = connect(service, key["secret"]), connect(service, rotated["secret"])
    assert [client.get("/v1/jobs").status_code for client in (old, new)] == [200, 200]
    admin.execute("update public.api_keys set old_hash_until = now() where id = %s", (key["id"],))
    assert [client.get("/v1/jobs").status_code for client in (old, new)] == [401, 200]


def test_without_overlap_and_after_another_rotation_the_older_secret_is_over(
    api: httpx2.Client, connect: Connect, service: str
) -> None:
    key = made(api)
    secrets = [key["secret"]]
    for overlap in (600, 600, 0):
        rotated = api.post(f"{PATH}/{key['id']}/rotate", json={"overlap_seconds": overlap}).json()
        secrets.append(rotated["secret"])
        opened = [connect(service, secret).get("/v1/jobs").status_code == 200 for secret in secrets]
        assert opened[:-2] == [False] * (len(secrets) - 2)
        assert opened[-2:] == [overlap > 0, True]
    assert rotated["old_secret_until"] is None


@pytest.mark.parametrize("overlap", [-1, 30 * 24 * 3600 + 1, 1.5, "long"])
def test_an_overlap_that_makes_no_sense_rotates_nothing(
    api: httpx2.Client, connect: Connect, service: str, overlap: Any
) -> None:
    key = made(api)
    assert_problem(api.post(f"{PATH}/{key['id']}/rotate", json={"overlap_seconds": overlap}), 422)
    assert connect(service, key["secret"]).get("/v1/jobs").status_code == 200
    assert api.get(f"{PATH}/{key['id']}").json()["rotated_at"] is None


def test_a_revoked_key_is_over_for_good(
    api: httpx2.Client, connect: Connect, service: str, admin: psycopg.Connection[Any], owned: Tenant
) -> None:
    key = made(api)
    rotated = api.post(f"{PATH}/{key['id']}/rotate").json()
    assert api.delete(f"{PATH}/{key['id']}").status_code == 204
    assert api.delete(f"{PATH}/{key['id']}").status_code == 204
    for secret in (key["secret"], rotated["secret"]):
        assert_problem(connect(service, secret).get("/v1/jobs"), 401, "unauthorized")
    assert api.get(f"{PATH}/{key['id']}").json()["state"] == "revoked"
    assert_problem(api.post(f"{PATH}/{key['id']}/rotate"), 409, "conflict")
    assert_problem(api.patch(f"{PATH}/{key['id']}", json={"name": "back"}), 409, "conflict")
    actions = [action for _, action, _ in audited(admin, owned.id)]
    assert actions == ["api_key.created", "api_key.rotated", "api_key.revoked"]


def test_keys_of_other_tenants_do_not_exist(
    api: httpx2.Client, connect: Connect, service: str, database: Database
) -> None:
    theirs = new_tenant(database, tuple(Permission))
    for key in (theirs.key_id, new_id()):
        for response in (
            api.get(f"{PATH}/{key}"),
            api.patch(f"{PATH}/{key}", json={"name": "mine"}),
            api.post(f"{PATH}/{key}/rotate"),
            api.delete(f"{PATH}/{key}"),
        ):
            assert_problem(response, 404, "not_found")
    assert api.get(PATH, params={"after": str(theirs.key_id)}).json()["data"] != []
    assert connect(service, theirs.key).get(f"{PATH}/{theirs.key_id}").json()["name"] == "test"


def test_a_tenant_has_so_many_live_keys_and_no_more(
    api: httpx2.Client, admin: psycopg.Connection[Any], owned: Tenant
) -> None:
    admin.execute(
        "insert into public.api_keys (id, tenant_id, name, prefix, hash)"
        " select gen_random_uuid(), %s, 'x', 'x', sha256(random()::text::bytea) from generate_series(1, %s)",
        (owned.id, MAX_LIVE - 2),
    )
    last = made(api)
    assert_problem(api.post(PATH, json={"name": "one more"}), 409, "conflict")
    assert api.delete(f"{PATH}/{last['id']}").status_code == 204
    made(api)


def test_only_who_administers_keys_sees_them(connect: Connect, service: str, make_tenant: Callable[[], Tenant]) -> None:
    client = connect(service, make_tenant().key)
    for response in (
        client.get(PATH),
        client.post(PATH, json={"name": "a key"}),
        client.delete(f"{PATH}/{UUID(int=0)}"),
    ):
        assert_problem(response, 403, "forbidden")
