"""Tenants of users: the personal one, others, who is asked, and what was done to them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from api.conftest import Connect, assert_problem, serving
from api.identity import People, Person, audited
from api.project import Project, es256
from conftest import Tenant, new_tenant

from aico.core.access import KEY_PERMISSIONS, ROLE_PERMISSIONS, Permission, Role
from aico.core.settings import Settings
from aico.store import tenants
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.tenants import MAX_MADE


@pytest.fixture
def people(admin: psycopg.Connection[Any], connect: Connect, signing: Project, signed_service: str) -> People:
    return People(admin, connect, signing, signed_service)


@pytest.fixture
def person(people: People) -> Person:
    return people.someone()


def _mine(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.client.get("/v1/tenants").json()["data"]
    return found


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/me", "/v1/tenants", "/v1/whoami", "/v1/models"])
def test_who_signs_in_first_gets_a_tenant_of_his_own(person: Person, admin: psycopg.Connection[Any], path: str) -> None:
    assert person.client.get(path).status_code == 200
    (tenant,) = _mine(person)
    assert (tenant["role"], tenant["plan"], tenant["personal"]) == ("owner", "free", True)
    assert person.client.post("/v1/jobs", json={"prompt": "in my own tenant"}).status_code == 202
    assert audited(admin, tenant["id"]) == [(f"user:{person.id}", "tenant.created", tenant["id"])]


def test_first_requests_at_once_make_one_tenant(people: People) -> None:
    for _ in range(5):
        person = people.someone()
        with ThreadPoolExecutor(8) as pool:
            asked = pool.map(person.client.get, ["/v1/jobs", "/v1/me"] * 4)
            answers = [response.status_code for response in asked]
        assert answers == [200] * 8
        assert len(_mine(person)) == 1


def test_no_tenant_is_made_for_who_is_no_user_or_names_another(
    people: People, person: Person, connect: Connect, signed_service: str, signing: Project, tenant: Tenant
) -> None:
    assert_problem(person.client.get("/v1/jobs", headers=person.at(tenant.id)), 403, "forbidden")
    gone = connect(signed_service, es256(signing.claims(uuid4())))  # deleted since he signed in
    assert_problem(gone.get("/v1/jobs"), 403, "forbidden")
    anonymous = connect(signed_service, people.token(person.id, None, is_anonymous=True))
    assert_problem(anonymous.get("/v1/jobs"), 401, "unauthorized")
    assert_problem(anonymous.get("/v1/me"), 401, "unauthorized")
    made = people.admin.execute("select 1 from public.tenants where made_by = %s", (person.id,)).fetchall()
    assert made == []


def test_who_was_removed_from_his_personal_tenant_gets_no_second_one(people: People, person: Person) -> None:
    (tenant,) = _mine(person)
    other = people.someone(tenant=tenant["id"], role="owner")
    path = f"/v1/members/{person.id}"
    assert other.client.delete(path).status_code == 204
    assert_problem(person.client.get("/v1/jobs"), 403, "forbidden")
    assert _mine(person) == []


def test_where_the_operator_makes_the_tenants_users_make_none(
    base_settings: Settings, people: People, connect: Connect
) -> None:
    update = {"supabase_url": people.project.url, "personal_tenants": False}
    with serving(base_settings.model_copy(update=update)) as url:
        person = People(people.admin, connect, people.project, url).someone()
        assert_problem(person.client.get("/v1/jobs"), 403, "forbidden")
        assert _mine(person) == []
        assert_problem(person.client.post("/v1/tenants", json={"name": "mine"}), 403, "forbidden")


def test_another_tenant_is_made_under_any_name_and_must_then_be_named(person: Person, database: Database) -> None:
    (personal,) = _mine(person)
    operators = "an operator's name " + personal["id"]
    database.run(Scope.tenant(tenant := uuid4()), tenants.create(tenant, operators))
    made = person.client.post("/v1/tenants", json={"name": operators})
    assert made.status_code == 201, made.text
    assert (made.json()["name"], made.json()["role"], made.json()["plan"]) == (operators, "owner", "free")
    assert [one["id"] for one in _mine(person)] == [personal["id"], made.json()["id"]]
    assert assert_problem(person.client.get("/v1/jobs"), 403)["param"] == "X-Tenant-Id"
    assert person.client.get("/v1/tenant", headers=person.at(made.json()["id"])).json()["name"] == operators
    assert [one.id for one in database.run(Scope.system(), tenants.find(operators))] == [tenant]


def test_a_user_makes_so_many_tenants_and_no_more(person: Person) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda _: person.client.post("/v1/tenants", json={"name": "mine"}).status_code, range(MAX_MADE + 5)
            )
        )
    assert sorted(answers) == [201] * MAX_MADE + [409] * 5
    assert len(_mine(person)) == MAX_MADE


def test_the_policy_is_changed_field_by_field(person: Person, admin: psycopg.Connection[Any]) -> None:
    before = person.client.get("/v1/tenant").json()
    assert (before["fallback"], before["cache_mode"], before["baseline_model"]) == (True, None, None)
    change = {"name": "Ours", "fallback": False, "similarity_threshold": 0.9, "strategy": "cascade"}
    after = person.client.patch("/v1/tenant", json=change).json()
    assert after == {**before, **change}
    more = {"cache_mode": "exact", "baseline_model": "gpt-5.4", "quality_target": 0.9}
    assert person.client.patch("/v1/tenant", json=more).json() == {**after, **more}
    compared = {
        "implicit_outcomes": False,
        "shadow_rate": 0.01,
        "judge_model": "gpt-5.4-nano",
        "judge_daily_cents": "2.500000",
        "compare_with_own_keys": True,
    }
    assert person.client.patch("/v1/tenant", json=compared).json() == {**after, **more, **compared}
    usual = {name: before[name] for name in compared}
    assert person.client.patch("/v1/tenant", json=usual).json() == {**after, **more}
    less = dict.fromkeys(("cache_mode", "baseline_model", "similarity_threshold", "strategy", "quality_target"))
    assert person.client.patch("/v1/tenant", json=less).json() == {**after, **less}
    assert person.client.patch("/v1/tenant", json={}).json() == {**after, **less}
    actions = [action for _, action, _ in audited(admin, before["id"])]
    assert actions == ["tenant.created", *["tenant.changed"] * 5]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": ""}, 422),
        ({"name": None}, 422),
        ({"fallback": None}, 422),
        ({"cache_mode": "always"}, 422),
        ({"similarity_threshold": 1.1}, 422),
        ({"quality_target": -0.1}, 422),
        ({"strategy": "guess"}, 422),
        ({"similarity_threshold": "nan"}, 422),
        ({"plan": "enterprise"}, 422),
        ({"baseline_model": "gpt-17"}, 404),
        ({"judge_model": "gpt-17"}, 404),
        ({"shadow_rate": 1.1}, 422),
        ({"judge_daily_cents": -1}, 422),
        ({"judge_daily_cents": "1e-100000"}, 422),
        ({"implicit_outcomes": None}, 422),
    ],
)
def test_a_policy_that_makes_no_sense_changes_nothing(person: Person, body: dict[str, Any], status: int) -> None:
    before = person.client.get("/v1/tenant").json()
    assert_problem(person.client.patch("/v1/tenant", json={"name": "changed", **body}), status)
    assert person.client.get("/v1/tenant").json() == before


def test_me_is_the_signed_in_user_with_his_tenants(person: Person, connect: Connect, signed_service: str) -> None:
    me = person.client.get("/v1/me").json()
    assert (me["id"], me["email"]) == (str(person.id), person.email)
    assert [(one["role"], one["permissions"]) for one in me["tenants"]] == [("owner", sorted(Permission))]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/me"), ("GET", "/v1/tenants"), ("POST", "/v1/tenants")])
def test_a_key_is_no_user(connect: Connect, signed_service: str, tenant: Tenant, method: str, path: str) -> None:
    problem = assert_problem(
        connect(signed_service, tenant.key).request(method, path, json={"name": "x"}), 401, "unauthorized"
    )
    assert problem["detail"] == "sign in as a user: an API key does not do here"


def test_whoami_needs_no_credential_and_refuses_a_bad_one(
    people: People, connect: Connect, signed_service: str, tenant: Tenant
) -> None:
    nobody = connect(signed_service).get("/v1/whoami").json()
    assert nobody == {"actor": None, "tenant_id": None, "role": None, "permissions": [], "models": None}
    key = connect(signed_service, tenant.key).get("/v1/whoami").json()
    assert (key["actor"], key["tenant_id"]) == (f"key:{tenant.key_id}", str(tenant.id))
    assert key["permissions"] == sorted(KEY_PERMISSIONS)
    viewer = people.someone(tenant=tenant.id, role="viewer")
    shown = viewer.client.get("/v1/whoami").json()
    assert (shown["actor"], shown["role"]) == (f"user:{viewer.id}", "viewer")
    assert shown["permissions"] == sorted(ROLE_PERMISSIONS[Role.VIEWER])
    for bad in ("", "Basic YTpi", "Bearer nonsense", f"Bearer {tenant.key}x"):
        response = connect(signed_service).get("/v1/whoami", headers={"Authorization": bad})
        assert_problem(response, 401, "unauthorized")


def test_the_audit_log_is_read_newest_first_and_filtered(
    connect: Connect, signed_service: str, database: Database, make_tenant: Callable[[], Tenant]
) -> None:
    ours, theirs = new_tenant(database, tuple(Permission)), new_tenant(database, tuple(Permission))
    api = connect(signed_service, ours.key)
    made = [api.post("/v1/api-keys", json={"name": f"key {number}"}).json()["id"] for number in range(3)]
    api.delete(f"/v1/api-keys/{made[0]}")
    connect(signed_service, theirs.key).post("/v1/api-keys", json={"name": "theirs"})
    first = api.get("/v1/audit-log", params={"limit": 2}).json()
    second = api.get("/v1/audit-log", params={"limit": 100, "after": first["next"]}).json()
    found = [(one["action"], one["subject"]) for one in first["data"] + second["data"]]
    assert found[:4] == [
        ("api_key.revoked", made[0]),
        *(("api_key.created", key) for key in reversed(made)),
    ]
    assert found[4:] in (
        [("api_key.created", str(ours.key_id)), ("tenant.created", str(ours.id))],
        [("tenant.created", str(ours.id)), ("api_key.created", str(ours.key_id))],
    )
    by_key = api.get("/v1/audit-log", params={"actor": f"key:{ours.key_id}", "action": "api_key.created"}).json()
    assert [one["subject"] for one in by_key["data"]] == list(reversed(made))
    detail = by_key["data"][0]["detail"]
    assert (detail["name"], detail["models"]) == ("key 2", None)
    neighbours = connect(signed_service, theirs.key).get("/v1/audit-log").json()["data"]
    assert api.get("/v1/audit-log", params={"after": neighbours[0]["id"]}).json()["data"] == []
    assert_problem(connect(signed_service, make_tenant().key).get("/v1/audit-log"), 403, "forbidden")
