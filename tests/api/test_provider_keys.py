"""Keys of a tenant's own go in, and never come out; models that they open can be asked for at once."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem, serving
from conftest import Tenant
from keys import KEYS
from pydantic import SecretStr

from aico.core.access import Permission
from aico.core.envelope import unseal
from aico.core.keys import make_key
from aico.core.settings import Settings
from aico.store import api_keys, provider_keys
from aico.store.blocking import Database
from aico.store.provider_keys import StaleKey
from aico.store.scope import Scope

PATH = "/v1/provider-keys"
SECRET = "house.credential/of-a-tenant-1234"  # of no shape that anything knows
SHORT = "short-one"


@pytest.fixture
def owner(connect: Connect, service: str, tenant: Tenant, database: Database) -> httpx2.Client:
    """With a key that may change settings."""
    return connect(service, permitted(database, tenant, Permission.SETTINGS_WRITE, Permission.PROMPTS_WRITE))


def permitted(database: Database, tenant: Tenant, *scopes: Permission) -> str:
    key = make_key("scoped")
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key, scopes))
    return key.secret.get_secret_value()


def put(client: httpx2.Client, provider: str = "openai", secret: str = SECRET) -> httpx2.Response:
    return client.put(f"{PATH}/{provider}", json={"api_key": secret})


def stored(database: Database, tenant: Tenant) -> dict[str, SecretStr]:
    scope = Scope.tenant(tenant.id)
    listed = [StaleKey(tenant.id, key.id) for key in database.run(scope, provider_keys.ls(tenant.id))]
    found = database.run(scope, provider_keys.sealed(listed))
    return {key.provider: unseal(KEYS, key.sealed, bound_to=key.bound_to) for key in found}


def test_a_key_is_kept_encrypted_and_never_shown(owner: httpx2.Client, tenant: Tenant, database: Database) -> None:
    assert owner.get(PATH).json() == {"data": []}
    made = put(owner)
    assert made.status_code == 200
    assert made.json().keys() == {"id", "provider", "hint", "encryption_key_id", "created_at", "created_by"}
    shown = [made.json()[name] for name in ("provider", "hint", "encryption_key_id")]
    assert shown == ["openai", "1234", "test"]
    assert made.json()["created_by"].startswith("key:")
    listed = owner.get(PATH)
    assert listed.json() == {"data": [made.json()]}
    assert SECRET[:-4] not in made.text + listed.text
    assert stored(database, tenant) == {"openai": SecretStr(SECRET)}


def test_a_short_key_has_no_hint(owner: httpx2.Client) -> None:
    assert put(owner, secret=SHORT).json()["hint"] is None


def test_a_second_key_takes_the_place_of_the_first(owner: httpx2.Client, tenant: Tenant, database: Database) -> None:
    first, second = put(owner).json(), put(owner, secret=SECRET[::-1]).json()
    put(owner, "anthropic")
    assert first["id"] != second["id"]
    assert [key["provider"] for key in owner.get(PATH).json()["data"]] == ["anthropic", "openai"]
    assert stored(database, tenant)["openai"] == SecretStr(SECRET[::-1])


def test_keys_that_are_set_at_once_leave_one(owner: httpx2.Client, tenant: Tenant, database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: put(owner, secret=f"{SECRET}{number}"), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    (listed,) = owner.get(PATH).json()["data"]
    assert listed["id"] in {answer.json()["id"] for answer in answers}
    assert stored(database, tenant)["openai"].get_secret_value().startswith(SECRET)


def test_a_deleted_key_is_gone(owner: httpx2.Client, tenant: Tenant, database: Database) -> None:
    put(owner)
    assert owner.delete(f"{PATH}/openai").status_code == 204
    assert stored(database, tenant) == {}
    assert_problem(owner.delete(f"{PATH}/openai"), 404, "not_found")


def test_every_change_is_in_the_audit_log_without_a_secret(
    owner: httpx2.Client, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    made = put(owner).json()
    owner.delete(f"{PATH}/openai")
    rows = admin.execute(
        "select actor, action, subject, detail from audit_log where tenant_id = %s and action like 'provider_key%%'"
        " order by at",
        (tenant.id,),
    ).fetchall()
    assert [(action, subject) for _, action, subject, _ in rows] == [
        ("provider_key.set", "openai"),
        ("provider_key.deleted", "openai"),
    ]
    assert {actor for actor, *_ in rows} == {made["created_by"]}
    assert {detail["key_id"] for *_, detail in rows} == {made["id"]}
    assert "1234" not in "".join(json.dumps(detail.get("hint", "")) for *_, detail in rows)


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": "with white space"},
        {"api_key": "seven77"},
        {"api_key": "x" * 513},
        {"api_key": "umläute-und-mehr"},
        {"api_key": "line\nbreak-and-more"},
        {"api_key": "nul\x00-and-more-of-it"},
        {"api_key": ["in-a-list-of-one"]},
        {"api_key": {"within": "an-object-of-it"}},
        {"api_key": SECRET, "comment": "more-than-there-may-be"},
        {"key": SECRET},
        [SECRET],
        SECRET,
    ],
)
def test_a_body_that_does_not_fit_is_refused_without_being_repeated(
    owner: httpx2.Client, tenant: Tenant, database: Database, body: Any
) -> None:
    refused = owner.put(f"{PATH}/openai", json=body)
    assert_problem(refused, 422, "invalid_input")
    assert not [text for text in _texts(body) if text in refused.text]
    assert stored(database, tenant) == {}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def test_what_is_not_json_is_not_repeated_either(owner: httpx2.Client) -> None:
    refused = owner.put(
        f"{PATH}/openai", content=f'{{"api_key": "{SECRET}"', headers={"Content-Type": "application/json"}
    )
    assert_problem(refused, 400, "bad_json")
    assert SECRET not in refused.text


@pytest.mark.parametrize("provider", ["local", "simulated", "openai_compatible", "nobody", "OpenAI"])
def test_keys_are_taken_for_providers_that_know_keys(owner: httpx2.Client, provider: str) -> None:
    problem = assert_problem(put(owner, provider), 404, "not_found")
    assert "openai, anthropic, google, cerebras, openrouter" in problem["detail"]


def test_who_may_only_send_prompts_changes_nothing_and_who_sees_costs_may_look(
    connect: Connect, service: str, tenant: Tenant, database: Database
) -> None:
    plain = connect(service, tenant.key)
    assert_problem(put(plain), 403, "forbidden")
    assert_problem(plain.delete(f"{PATH}/openai"), 403, "forbidden")
    assert plain.get(PATH).status_code == 200
    sender = connect(service, permitted(database, tenant, Permission.PROMPTS_WRITE))
    assert_problem(sender.get(PATH), 403, "forbidden")


def test_another_tenant_sees_and_deletes_nothing(
    owner: httpx2.Client, connect: Connect, service: str, database: Database, make_tenant: Callable[[], Tenant]
) -> None:
    put(owner)
    other = connect(service, permitted(database, make_tenant(), Permission.SETTINGS_WRITE))
    assert other.get(PATH).json() == {"data": []}
    assert_problem(other.delete(f"{PATH}/openai"), 404, "not_found")
    assert len(owner.get(PATH).json()["data"]) == 1


def test_without_encryption_no_key_is_taken(
    base_settings: Settings, connect: Connect, tenant: Tenant, database: Database
) -> None:
    with serving(base_settings.model_copy(update={"encryption_keys": None})) as url:
        owner = connect(url, permitted(database, tenant, Permission.SETTINGS_WRITE))
        problem = assert_problem(put(owner), 409, "conflict")
        assert "ENCRYPTION_KEYS" in problem["detail"]
        assert owner.get(PATH).json() == {"data": []}


def ask(client: httpx2.Client, **fields: Any) -> httpx2.Response:
    return client.post("/v1/jobs", json={"prompt": "What is the capital of France?", "cache": "off", **fields})


def test_models_of_a_provider_open_with_the_key_and_close_without_it(owner: httpx2.Client) -> None:
    assert_problem(ask(owner, model="gpt-5.4-nano"), 404, "model_not_found")
    needs_more = {"messages": [{"role": "user", "content": "word " * 20_000}], "prompt": None}  # than the local one has
    assert ask(owner, **needs_more).status_code == 400
    put(owner)
    assert ask(owner, model="gpt-5.4-nano").status_code == 202
    assert ask(owner, **needs_more).status_code == 202
    assert ask(owner, model="claude-sonnet-5").status_code == 404
    owner.delete(f"{PATH}/openai")
    assert_problem(ask(owner, model="gpt-5.4-nano"), 404, "model_not_found")


def test_the_catalogue_is_the_tenants(owner: httpx2.Client, api: httpx2.Client, tenant: Tenant) -> None:
    put(owner)
    models = {model["id"] for model in api.get("/v1/models").json()["data"]}
    assert "gpt-5.4-nano" in models
    assert api.get("/v1/models/gpt-5.4-nano").status_code == 200
    shown = {one["name"]: one for one in api.get("/providers").json()["providers"]}
    assert (shown["openai"]["configured"], shown["openai"]["own_key"]) == (True, True)
    assert (shown["anthropic"]["configured"], shown["anthropic"]["own_key"]) == (False, False)
    quoted = api.post("/v1/quote", json={"prompt": "hello", "model": "gpt-5.4-nano"})
    assert quoted.status_code == 200


def test_nobody_elses_catalogue_changes(
    owner: httpx2.Client, connect: Connect, service: str, make_tenant: Callable[[], Tenant]
) -> None:
    put(owner)
    other = connect(service, make_tenant().key)
    assert_problem(ask(other, model="gpt-5.4-nano"), 404, "model_not_found")
    assert "gpt-5.4-nano" not in {model["id"] for model in other.get("/v1/models").json()["data"]}
