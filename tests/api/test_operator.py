"""The operator's overview opens to users whom the project's secret key has marked and to the metrics' token alone."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
import redis
from api.conftest import Connect, assert_problem, serving
from api.identity import People
from api.project import Project, es256
from conftest import Tenant, new_tenant
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from aico import __version__
from aico.core.access import Permission, Role
from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.workers.heartbeat import Activity

PATH = "/v1/operator/overview"
TOKEN = "a token for metrics"
OPERATOR = {"app_metadata": {"provider": "email", "aico_operator": True}}
NOT_QUITE = {
    "nothing": {},
    "said by himself": {"user_metadata": {"aico_operator": True}},
    "at the top": {"aico_operator": True},
    "false": {"app_metadata": {"aico_operator": False}},
    "a word": {"app_metadata": {"aico_operator": "true"}},
    "a number": {"app_metadata": {"aico_operator": 1}},
    "no object": {"app_metadata": ["aico_operator"]},
    "another name": {"app_metadata": {"role": "operator", "operator": True}},
}
Ask = Callable[..., httpx2.Response]


@pytest.fixture(scope="module")
def service(base_settings: Settings, signing: Project) -> Iterator[str]:
    flower = "http://flower.example:5555"
    told = {"supabase_url": signing.url, "metrics_token": SecretStr(TOKEN), "flower_url": flower}
    with serving(base_settings.model_copy(update=told)) as url:
        yield url


@pytest.fixture
def people(admin: "psycopg.Connection[Any]", connect: Connect, signing: Project, service: str) -> People:
    return People(admin, connect, signing, service)


@pytest.fixture
def ask(connect: Connect, service: str) -> Ask:
    return lambda credential, **headers: connect(service, credential, **headers).get(PATH)


@pytest.fixture
def worker(broker: "redis.Redis") -> Iterator[None]:
    """A route worker that lives."""
    broker.set("aico:worker:route:here:1", Activity(4).beat().model_dump_json(), ex=60)
    yield
    broker.delete("aico:worker:route:here:1")


def test_an_operator_sees_all_that_runs(people: People, ask: Ask, worker: None) -> None:
    person = people.someone()
    token = people.token(person.id, person.email, **OPERATOR)
    found = ask(token)
    assert found.status_code == 200, found.text
    seen = found.json()
    (route,) = (worker for worker in seen["workers"] if worker["name"] == "route")
    assert (route["slots"], route["versions"]) == (4, [__version__])
    assert {queue["class"] for queue in seen["queues"]} == {"interactive", "standard", "batch"}
    assert (seen["version"], seen["flower_url"], seen["traces"]) == (__version__, "http://flower.example:5555", False)
    assert seen["dead_letters"] >= 0
    assert people.connect(people.url, token).get("/v1/me").json()["operator"] is True


def test_a_program_with_the_metrics_token_sees_it_too(ask: Ask) -> None:
    assert ask(TOKEN).status_code == 200
    assert_problem(ask(f"{TOKEN}s"), 401)


@pytest.mark.parametrize("claims", NOT_QUITE.values(), ids=NOT_QUITE)
def test_nothing_that_a_user_can_say_of_himself_makes_an_operator(
    people: People, ask: Ask, tenant: Tenant, claims: dict[str, Any]
) -> None:
    person = people.someone(tenant=tenant.id, role="owner")
    token = people.token(person.id, person.email, **claims)
    assert_problem(ask(token, **{"X-Tenant-Id": str(tenant.id)}), 403, "forbidden")
    assert people.connect(people.url, token).get("/v1/me").json()["operator"] is False


@pytest.mark.parametrize("role", list(Role))
def test_no_role_in_a_tenant_opens_it(people: People, ask: Ask, tenant: Tenant, role: Role) -> None:
    person = people.someone(tenant=tenant.id, role=role.value)
    assert_problem(ask(people.token(person.id, person.email)), 403)


@pytest.mark.parametrize("scopes", [(), tuple(Permission)], ids=["usual", "all"])
def test_no_api_key_opens_it(ask: Ask, database: Database, scopes: tuple[Permission, ...]) -> None:
    assert_problem(ask(new_tenant(database, scopes).key), 403)


def test_a_credential_that_proves_nothing_is_told_no_more_than_elsewhere(
    people: People, ask: Ask, signing: Project
) -> None:
    claims = signing.claims(uuid4(), **OPERATOR)
    forged = es256(claims, ec.generate_private_key(ec.SECP256R1()))
    for credential in (None, "aico_live_nobody", forged, es256({**claims, "exp": 1})):
        assert_problem(ask(credential), 401)


def test_an_operator_who_has_signed_out_sees_nothing_more(
    people: People, ask: Ask, admin: "psycopg.Connection[Any]"
) -> None:
    person = people.someone()
    session = people.sign_in(person.id)
    token = people.token(person.id, person.email, session_id=str(session), **OPERATOR)
    assert ask(token).status_code == 200
    admin.execute("delete from auth.sessions where id = %s", (session,))
    assert_problem(ask(token), 401)


def test_without_a_token_for_metrics_an_empty_one_opens_nothing(connect: Connect, signed_service: str) -> None:
    assert_problem(connect(signed_service, "None").get(PATH), 401)
