"""API keys at the door: what opens it, what does not, and that nothing is left open beside it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules

import httpx2
import pytest
from api.conftest import Connect, Rows, assert_error, assert_problem
from conftest import Tenant
from documented import document
from fastapi import APIRouter
from fastapi.routing import APIRoute

from aico.api import routers
from aico.api.problems import speaks_openai
from aico.core.ids import new_id
from aico.core.keys import KEY_PREFIX, make_key
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope

SIGNED = {"/webhooks/stripe"}  # a signature opens it, and nothing else
OPEN = {"/metrics", "/v1/whoami", "/", "/health", "/health/live", "/docs", "/docs/oauth2-redirect", "/openapi.json"}


def _assert_unauthorized(response: httpx2.Response) -> str:
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    if speaks_openai(response.url.path):
        return str(assert_error(response, 401, "invalid_api_key")["message"])
    return str(assert_problem(response, 401, "unauthorized")["detail"])


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": KEY_PREFIX + "x" * 43},
        {"Authorization": b"Bearer \xff\xfe"},
        {"Authorization": "Bearer a b c"},
        {"Authorization": f"Bearer {KEY_PREFIX}"},
        {"Authorization": "Bearer sb_secret_" + "x" * 40},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer " + "x" * 10_000},
        {"Api-Key": KEY_PREFIX + "x" * 43},
    ],
)
def test_what_is_no_key_opens_nothing(connect: Connect, service: str, header: dict[str, str | bytes]) -> None:
    client = connect(service)
    client.headers.pop("Authorization", None)
    response = client.get("/v1/jobs", headers=httpx2.Headers(list(header.items())))  # type: ignore[arg-type]
    _assert_unauthorized(response)


def test_a_key_opens_whatever_the_schemes_case(connect: Connect, service: str, tenant: Tenant) -> None:
    client = connect(service)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert client.get("/v1/jobs", headers={"Authorization": f"{scheme} {tenant.key}"}).status_code == 200


def test_a_key_in_the_address_opens_nothing(connect: Connect, service: str, tenant: Tenant) -> None:
    _assert_unauthorized(connect(service).get("/v1/jobs", params={"api_key": tenant.key, "authorization": tenant.key}))


def test_unknown_revoked_and_expired_keys_are_told_the_same(
    connect: Connect, service: str, tenant: Tenant, database: Database
) -> None:
    scope = Scope.tenant(tenant.id)
    revoked, expired = make_key("revoked"), make_key("expired", datetime.now(UTC) - timedelta(seconds=1))
    for key in (revoked, expired):
        database.run(scope, api_keys.create(tenant.id, key))
    opened = connect(service, revoked.secret.get_secret_value())
    assert opened.get("/v1/jobs").status_code == 200
    assert database.run(scope, api_keys.revoke(tenant.id, prefix=revoked.prefix)) == [revoked.id]
    told = {
        _assert_unauthorized(connect(service, key).get("/v1/jobs"))
        for key in (
            revoked.secret.get_secret_value(),
            expired.secret.get_secret_value(),
            KEY_PREFIX + "x" * 43,
            tenant.key[:-1],
            tenant.key.upper(),
        )
    }
    assert told == {"the API key is not valid"}


def test_a_key_that_expires_later_opens(connect: Connect, service: str, tenant: Tenant, database: Database) -> None:
    key = make_key("later", datetime.now(UTC) + timedelta(hours=1))
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key))
    assert connect(service, key.secret.get_secret_value()).get("/v1/jobs").status_code == 200


def test_a_key_does_not_open_another_tenant_that_is_named(
    connect: Connect, service: str, make_tenant: Callable[[], Tenant], rows: Rows
) -> None:
    first, second = make_tenant(), make_tenant()
    for named in (str(second.id), str(new_id()), "' or true --", ""):
        client = connect(service, first.key, **{"X-Tenant-Id": named})
        assert_problem(client.post("/v1/jobs", json={"prompt": "whose?"}), 403, "forbidden")
    assert (rows.jobs(first.id), rows.jobs(second.id)) == (0, 0)
    assert connect(service, first.key, **{"X-Tenant-Id": str(first.id)}).get("/v1/jobs").status_code == 200


def _routes() -> list[tuple[str, str]]:
    """Method and path of every route in the routers' package, those that the OpenAPI document leaves out included."""
    modules = [import_module(f"{routers.__name__}.{found.name}") for found in iter_modules(routers.__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, APIRouter)]
    routes = [route for router in found for route in router.routes if isinstance(route, APIRoute)]
    return sorted((method, route.path_format) for route in routes for method in route.methods or ())


def test_every_route_but_health_and_the_pages_needs_a_key(connect: Connect, service: str) -> None:
    client = connect(service)
    guarded = [(method, path) for method, path in _routes() if path not in OPEN | SIGNED]
    paths = document()["paths"]
    documented = {
        (method.upper(), path) for path, item in paths.items() for method in item if path not in OPEN | SIGNED
    }
    assert documented < set(guarded)
    for method, path in guarded:
        url = re.sub(r"{\w+}", lambda _: str(new_id()), path)
        _assert_unauthorized(client.request(method, url))
        _assert_unauthorized(client.request(method, url, json={"prompt": "let me in"}))


@pytest.mark.parametrize("path", sorted(OPEN))
def test_health_and_the_pages_need_none(connect: Connect, service: str, path: str) -> None:
    assert connect(service).get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/no-such-thing", 404), ("GET", "/admin", 404), ("DELETE", "/v1/jobs", 405), ("PUT", "/chat", 405)],
)
def test_what_does_not_exist_is_a_problem_too(
    connect: Connect, service: str, method: str, path: str, status: int
) -> None:
    assert_problem(connect(service).request(method, path), status)
