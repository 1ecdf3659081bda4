"""`/mcp` beside the API's routes: who is let in, from where, in which age of the protocol, and what it leaves alone."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem, serving
from api.project import SECRET, Project, hs256
from conftest import Tenant
from mcp_server.conftest import over_http, refusal, structured, with_mcp
from pydantic import SecretStr

from aico.core.errors import InvalidInput
from aico.core.settings import Settings, checked

OLDER = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
PRESENT = "2026-07-28"
SITE = "https://assistant.example"
PUBLIC = "https://aico.example/mcp"
ISSUER = "https://project.example/auth/v1"
ACCEPT = "application/json, text/event-stream"


def call(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def initialize(version: str) -> dict[str, Any]:
    client = {"name": "a test", "version": "1"}
    return call("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": client})


def messages(response: httpx2.Response) -> list[dict[str, Any]]:
    """Of an event stream, or the one of a plain answer."""
    if response.headers["Content-Type"].startswith("application/json"):
        return [response.json()]
    return [
        json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: {")
    ]


@pytest.fixture(scope="module")
def public(base_settings: Settings) -> Iterator[str]:
    """A server that is reached from elsewhere, and says who issues tokens for it."""
    changes = {"mcp_urls": (PUBLIC,), "mcp_authorization_server": ISSUER, "cors_origins": (SITE,)}
    with serving(base_settings.model_copy(update=changes), with_mcp) as url:
        yield url


@pytest.fixture
def mcp(connect: Connect, service: str, tenant: Tenant) -> httpx2.Client:
    return connect(service, tenant.key, Accept=ACCEPT)


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize("version", OLDER)
def test_an_older_client_shakes_hands_and_calls(mcp: httpx2.Client, answered: None, version: str, path: str) -> None:
    (hello,) = messages(mcp.post(path, json=initialize(version)))
    assert hello["result"]["protocolVersion"] == version
    assert hello["result"]["serverInfo"]["name"] == "aico"
    mcp.headers["MCP-Protocol-Version"] = version
    assert mcp.post(path, json={"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    arguments = {"prompt": f"Who are you? {uuid4()}"}
    params = {"name": "ask", "arguments": arguments, "_meta": {"progressToken": "mine"}}
    *told, result = messages(mcp.post(path, json=call("tools/call", params)))
    assert [message["method"] for message in told] == ["notifications/progress"] * len(told)
    assert {message["params"]["progressToken"] for message in told} == {"mine"}
    assert told
    assert json.loads(result["result"]["content"][0]["text"])["text"] == "Paris."


def test_a_present_client_needs_no_handshake(mcp: httpx2.Client) -> None:
    mcp.headers.update({"MCP-Protocol-Version": PRESENT, "Mcp-Method": "server/discover"})
    meta = {"io.modelcontextprotocol/protocolVersion": PRESENT, "io.modelcontextprotocol/clientCapabilities": {}}
    response = mcp.post("/mcp", json=call("server/discover", {"_meta": meta}))
    result = response.json()["result"]
    assert PRESENT in result["supportedVersions"]
    assert result["capabilities"]["extensions"] == {"io.modelcontextprotocol/tasks": {}}
    assert "Mcp-Session-Id" not in response.headers


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_no_session_to_listen_to_or_to_end(mcp: httpx2.Client, method: str) -> None:
    response = mcp.request(method, "/mcp")
    assert_problem(response, 405)
    assert response.headers["Allow"] == "POST"


def test_a_version_that_never_was_is_refused(mcp: httpx2.Client) -> None:
    mcp.headers.update({"MCP-Protocol-Version": "2099-01-01", "Mcp-Method": "tools/list"})
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2099-01-01",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    response = mcp.post("/mcp", json=call("tools/list", {"_meta": meta}))
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32022)


@pytest.mark.parametrize("credential", [None, "aico_live_wrong", "no.token.at.all"])
def test_without_a_credential_nobody_is_let_in(connect: Connect, service: str, credential: str | None) -> None:
    client = connect(service, credential, Accept=ACCEPT)
    for message in (initialize(OLDER[-1]), call("tools/list", {}), {}):
        response = client.post("/mcp", json=message)
        assert_problem(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="aico"'
    assert client.get("/.well-known/oauth-protected-resource/mcp").status_code == 404


def test_a_key_is_asked_for_at_each_call(
    connect: Connect, service: str, tenant: Tenant, make_tenant: Callable[[], Tenant]
) -> None:
    """Nothing of one caller is left for the next: there is no session to take over."""
    job = connect(service, tenant.key).post("/v1/jobs", json={"prompt": "Mine."}).json()["id"]
    params = {"name": "get_job", "arguments": {"job_id": job}}
    read = {key: _read(connect, service, key, params) for key in (tenant.key, make_tenant().key)}
    assert [result["isError"] for result in read.values()] == [False, True]


def _read(connect: Connect, service: str, key: str, params: dict[str, Any]) -> dict[str, Any]:
    client = connect(service, key, Accept=ACCEPT)
    (answer,) = messages(client.post("/mcp", json=call("tools/call", params)))
    result: dict[str, Any] = answer["result"]
    return result


def test_who_issues_tokens_is_told_where_it_is_known(connect: Connect, public: str) -> None:
    client = connect(public, Host="aico.example", Accept=ACCEPT)
    refused = client.post("/mcp", json=initialize(OLDER[-1]))
    address = "https://aico.example/.well-known/oauth-protected-resource/mcp"
    assert refused.headers["WWW-Authenticate"] == f'Bearer realm="aico", resource_metadata="{address}"'
    metadata = client.get("/.well-known/oauth-protected-resource/mcp").json()
    assert (metadata["resource"], metadata["authorization_servers"]) == (PUBLIC, [ISSUER])
    here = connect(public).get("/.well-known/oauth-protected-resource/mcp").json()
    assert here["resource"] == f"{public}/mcp"
    elsewhere = connect(public, Host="evil.example")
    assert_problem(elsewhere.get("/.well-known/oauth-protected-resource/mcp"), 404, "not_found")
    assert "resource_metadata" not in elsewhere.post("/mcp", json={}).headers["WWW-Authenticate"]


@pytest.mark.anyio
async def test_a_person_calls_with_a_token_and_names_the_tenant(
    base_settings: Settings, make_tenant: Callable[[], Tenant], admin: psycopg.Connection[Any]
) -> None:
    user, project = uuid4(), Project("https://project.example")
    mine, theirs = make_tenant(), make_tenant()
    admin.execute("insert into auth.users (id) values (%s)", (user,))
    for tenant, role in ((mine, "member"), (theirs, "viewer")):
        admin.execute("insert into public.members values (%s, %s, %s)", (tenant.id, user, role))
    authorization = f"Bearer {hs256(project.claims(user))}"
    update = {"supabase_url": project.url, "supabase_jwt_secret": SecretStr(SECRET)}
    with serving(base_settings.model_copy(update=update), with_mcp) as url:
        refused = httpx2.post(f"{url}/mcp", json=initialize(PRESENT), headers={"Authorization": authorization})
        assert assert_problem(refused, 403, "forbidden")["param"] == "X-Tenant-Id"
        async with over_http(url, {"Authorization": authorization, "X-Tenant-Id": str(mine.id)}) as client:
            assert structured(await client.call_tool("submit", {"prompt": "By a person."}))["status"] == "queued"
        async with over_http(url, {"Authorization": authorization, "X-Tenant-Id": str(theirs.id)}) as client:
            refused_call = await client.call_tool("submit", {"prompt": "By a viewer."})
            assert "does not include prompts:write" in refusal(refused_call)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "aico.example"}, 200),
        ({"Host": "aico.example:8443"}, 421),
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": SITE}, 200),
        ({"Origin": "http://localhost:6274"}, 200),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_hosts_and_sites_that_are_known_come_through(
    connect: Connect, public: str, tenant: Tenant, headers: dict[str, str], status: int
) -> None:
    client = connect(public, tenant.key, Accept=ACCEPT, **headers)
    assert client.post("/mcp", json=initialize(OLDER[-1])).status_code == status


def test_by_default_only_this_machine_is_known(connect: Connect, service: str, tenant: Tenant) -> None:
    client = connect(service, tenant.key, Accept=ACCEPT, Host="aico.example")
    assert client.post("/mcp", json=initialize(OLDER[-1])).status_code == 421
    assert client.get("/v1/jobs").status_code == 200  # the other routes ask for no particular host


def test_a_known_site_may_ask_in_a_browser(connect: Connect, public: str) -> None:
    asked = "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name"
    preflight = connect(public, Origin=SITE).options(
        "/mcp", headers={"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    )
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (200, SITE)
    refused = connect(public, Origin=SITE).post("/mcp", json={})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, SITE)


def test_the_other_routes_are_as_they_were(
    connect: Connect, service: str, base_settings: Settings, tenant: Tenant
) -> None:
    with serving(base_settings) as plain:
        for path in ("/openapi.json", "/", "/health/live", "/v1/jobs", "/nowhere", "/mcpx"):
            with_it, without = (connect(url, tenant.key).get(path) for url in (service, plain))
            assert (with_it.status_code, with_it.content) == (without.status_code, without.content), path


def test_a_body_that_is_too_large_is_refused_at_the_door(mcp: httpx2.Client) -> None:
    assert_problem(mcp.post("/mcp", json=call("tools/list", {"x": "x" * 8_000_001})), 413, "payload_too_large")


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b"null", b"\xff", b'{"jsonrpc": "2.0"}', b"[" * 100_000])
@pytest.mark.parametrize("version", [OLDER[0], PRESENT])
def test_what_is_no_message_is_refused_as_the_callers_fault(mcp: httpx2.Client, content: bytes, version: str) -> None:
    headers = {"Content-Type": "application/json", "MCP-Protocol-Version": version}
    response = mcp.post("/mcp", content=content, headers=headers)
    assert 400 <= response.status_code < 500, response.text


@pytest.mark.parametrize(
    "url",
    [
        "aico.example",
        "ftp://aico.example/mcp",
        "https:///mcp",
        "https://me:pw@aico.example/mcp",
        "https://aico.example",
    ],
)
def test_an_address_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(InvalidInput, match="MCP_URLS"):
        checked(lambda: Settings(_env_file=None, mcp_urls=url))  # type: ignore[call-arg,arg-type]
