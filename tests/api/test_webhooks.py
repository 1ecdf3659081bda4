"""Webhook endpoints over HTTP: what may be one, who may change it, and who sees its secret."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem, serving
from api.project import SECRET, Project, hs256
from api.webhooking import PATH, URL, add
from conftest import Tenant
from pydantic import SecretStr

from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.store import webhooks
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.webhooks import EVENTS, MAX_ENDPOINTS


def test_an_endpoint_is_added_read_changed_and_removed(api: httpx2.Client) -> None:
    response = api.post(PATH, json={"url": URL, "events": ["job.failed", "job.failed"], "description": "pager"})
    assert response.status_code == 201
    made = response.json()
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert response.headers["Location"] == f"{PATH}/{made['id']}"
    assert made.keys() == {
        *("id", "url", "events", "description", "enabled", "created_at"),
        *("disabled_at", "disabled_reason"),
    }
    assert (made["url"], made["events"], made["description"]) == (URL, ["job.failed"], "pager")
    assert (made["enabled"], made["disabled_at"]) == (True, None)
    one = f"{PATH}/{made['id']}"
    assert api.get(one).json() == made
    listed = api.get(PATH)
    assert listed.json() == {"data": [made]}
    assert secret not in listed.text
    changed = api.patch(one, json={"events": list(EVENTS), "description": "", "url": f"{URL}/2"}).json()
    assert changed == {**made, "events": list(EVENTS), "description": "", "url": f"{URL}/2"}
    assert api.patch(one, json={}).json() == changed
    assert api.delete(one).status_code == 204
    assert_problem(api.delete(one), 404, "not_found")
    assert api.get(PATH).json() == {"data": []}


def test_a_disabled_endpoint_says_so_until_it_is_enabled(api: httpx2.Client) -> None:
    one = f"{PATH}/{add(api)['id']}"
    disabled = api.patch(one, json={"enabled": False}).json()
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "on request")
    assert disabled["disabled_at"]
    assert api.patch(one, json={"description": "x"}).json()["disabled_at"] == disabled["disabled_at"]
    enabled = api.patch(one, json={"enabled": True}).json()
    assert (enabled["enabled"], enabled["disabled_at"], enabled["disabled_reason"]) == (True, None, None)


@pytest.mark.parametrize(
    ("request_body", "param", "reason"),
    [
        ({}, "url", "required"),
        ({"url": ""}, "url", "at least 1"),
        ({"url": 1}, "url", "string"),
        ({"url": "hooks.example.com"}, "url", "https://"),
        ({"url": "http://hooks.example.com/"}, "url", "WEBHOOK_ALLOW_PRIVATE"),
        ({"url": "https://me:pw@hooks.example.com/"}, "url", "no user name"),
        ({"url": "https://hooks.example.com:0/"}, "url", "not a port"),
        ({"url": "https://127.1/"}, "url", "not a public address"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, "url", "not a public address"),
        ({"url": "https://localhost./"}, "url", "not a public address"),
        ({"url": URL + "a" * 2000}, "url", "at most 2000"),
        ({"url": f"{URL}\x00"}, "url", "NUL"),
        ({"url": URL, "events": ["job.started"]}, "events.0", "there is no event 'job.started'"),
        ({"url": URL, "events": ["webhook.test"]}, "events.0", "there is no event"),
        ({"url": URL, "events": "job.failed"}, "events", "list"),
        ({"url": URL, "events": None}, "events", "list"),
        ({"url": URL, "events": ["job.failed"] * 101}, "events", "at most 100"),
        ({"url": URL, "description": "a" * 201}, "description", "at most 200"),
        ({"url": URL, "secret": "whsec_mine"}, "secret", "not permitted"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(
    api: httpx2.Client, request_body: dict[str, Any], param: str, reason: str
) -> None:
    problem = assert_problem(api.post(PATH, json=request_body), 422, "invalid_input")
    assert (problem["param"], reason.lower() in problem["detail"].lower()) == (param, True), problem["detail"]
    assert api.get(PATH).json() == {"data": []}
    if request_body.keys() & {"url", "events", "description"} and request_body.get("events", []) is not None:
        one = f"{PATH}/{add(api)['id']}"
        before = api.get(one).json()
        assert_problem(api.patch(one, json=request_body), 422, "invalid_input")
        assert api.get(one).json() == before


def test_the_operators_own_network_is_for_who_allowed_it(
    connect: Connect, base_settings: Settings, tenant: Tenant
) -> None:
    with serving(base_settings.model_copy(update={"webhook_allow_private": True})) as url:
        assert add(connect(url, tenant.key), url="http://127.0.0.1:8000/hook")["enabled"]


def test_a_tenant_has_so_many_endpoints(api: httpx2.Client) -> None:
    made = [add(api)["id"] for _ in range(MAX_ENDPOINTS)]
    problem = assert_problem(api.post(PATH, json={"url": URL}), 409, "conflict")
    assert str(MAX_ENDPOINTS) in problem["detail"]
    assert [endpoint["id"] for endpoint in api.get(PATH).json()["data"]] == made
    api.delete(f"{PATH}/{made[0]}")
    add(api)


def test_a_rotated_secret_is_shown_once_and_overlaps_the_old_one(
    api: httpx2.Client, tenant: Tenant, database: Database
) -> None:
    made = add(api)
    one = f"{PATH}/{made['id']}"
    rotated = api.post(f"{one}/rotate").json()
    assert (rotated["id"], rotated["overlap_seconds"]) == (made["id"], 24 * 3600)
    assert rotated["secret"] != made["secret"]
    assert _signing(api, tenant, database, one) == [rotated["secret"], made["secret"]]
    at_once = api.post(f"{one}/rotate", json={"overlap_seconds": 0}).json()
    assert _signing(api, tenant, database, one) == [at_once["secret"]]
    for read in (api.get(one), api.get(PATH), api.get(f"{one}/deliveries")):
        assert "whsec_" not in read.text
    for overlap in (-1, 1e9, "soon"):
        assert_problem(api.post(f"{one}/rotate", json={"overlap_seconds": overlap}), 422, "invalid_input")


def _signing(api: httpx2.Client, tenant: Tenant, database: Database, one: str) -> list[str]:
    made = api.post(f"{one}/test").json()
    (held,) = database.run(Scope.tenant(tenant.id), webhooks.claim(tenant.id, UUID(made["id"]), 60))
    return [secret.get_secret_value() for secret in held.secrets]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"enabled": False}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("GET", "/deliveries/{delivery}", None),
        ("POST", "/deliveries/{delivery}/redeliver", None),
    ],
)
def test_others_endpoints_are_as_good_as_none(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], method: str, path: str, body: Any
) -> None:
    ours, theirs = (connect(service, make_tenant().key) for _ in range(2))
    endpoint = add(theirs)["id"]
    delivery = theirs.post(f"{PATH}/{endpoint}/test").json()["id"]
    before = theirs.get(f"{PATH}/{endpoint}/deliveries/{delivery}").json()
    own = [add(ours)["id"]] if "{delivery}" in path else []
    for one in (endpoint, new_id(), *own):
        response = ours.request(method, f"{PATH}/{one}{path.format(delivery=delivery)}", json=body)
        assert_problem(response, 404, "not_found")
    assert theirs.get(f"{PATH}/{endpoint}/deliveries/{delivery}").json() == before
    assert theirs.get(f"{PATH}/{endpoint}").json()["enabled"]
    assert_problem(ours.request(method, f"{PATH}/not-an-id{path.format(delivery=delivery)}", json=body), 422)


def test_viewers_read_and_change_nothing(
    connect: Connect, base_settings: Settings, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    user = uuid4()
    admin.execute("insert into auth.users (id) values (%s)", (user,))
    admin.execute("insert into public.members values (%s, %s, 'viewer')", (tenant.id, user))
    project = Project("https://project.example")
    update = {"supabase_url": project.url, "supabase_jwt_secret": SecretStr(SECRET)}
    with serving(base_settings.model_copy(update=update)) as url:
        writer, viewer = connect(url, tenant.key), connect(url, hs256(project.claims(user)))
        one = f"{PATH}/{add(writer)['id']}"
        delivery = f"{one}/deliveries/{writer.post(f'{one}/test').json()['id']}"
        for path in (PATH, one, f"{one}/deliveries", delivery):
            assert viewer.get(path).status_code == 200
        for method, path in (
            ("POST", PATH),
            ("PATCH", one),
            ("DELETE", one),
            ("POST", f"{one}/rotate"),
            ("POST", f"{one}/test"),
            ("POST", f"{delivery}/redeliver"),
        ):
            body = {"url": URL} if path == PATH else {}
            assert_problem(viewer.request(method, path, json=body), 403, "forbidden")
        assert_problem(connect(url).get(PATH), 401, "unauthorized")


def test_every_route_is_described(connect: Connect, service: str) -> None:
    document = connect(service).get("/openapi.json").json()
    routes = {path: operations for path, operations in document["paths"].items() if path.startswith(PATH)}
    assert len(routes) == 7
    for operations in routes.values():
        for operation in operations.values():
            assert operation["description"]
            assert operation["security"]
            assert {"401", "403", "422", "503"} <= operation["responses"].keys()
