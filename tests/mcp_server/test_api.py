"""What an assistant reads of a refusal, and when a call is sent again."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import SecretStr

from aico.mcp_server.api import Access, Refused, explain
from aico.mcp_server.resource import metadata_address, resource_at

MOMENT = "Try again in a moment."


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, {"detail": "Redis is gone", "code": "unavailable"}, f"Redis is gone (unavailable). {MOMENT}"),
        (409, {"detail": "the job has ended", "code": "conflict"}, "the job has ended (conflict)."),
        (
            422,
            {"code": "bad", "errors": [{"param": "a", "message": "b"}, {"param": "c", "message": "d"}]},
            "a: b; c: d (bad). Correct the arguments and call again.",
        ),
        (429, {"error": {"message": "Too many.", "type": "x", "code": "rate"}}, "Too many (rate). " + MOMENT),
        (500, {}, "the API answered with status 500. This is a fault of the service; its log says more."),
        (599, {}, "the API answered with status 599. This is a fault of the service; its log says more."),
        (418, {"detail": None, "error": "teapot"}, "the API answered with status 418."),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(status: int, body: dict[str, Any], told: str) -> None:
    assert explain(status, body) == told


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "repeatable", "answers", "left"),
    [
        ("GET", True, [503, 502, 504, 429], []),
        ("POST", False, [503, 429], []),
        ("GET", True, [500, 200], [200]),
        ("POST", False, [502, 200], [200]),
        ("POST", False, [504, 200], [200]),
        ("GET", True, [404, 200], [200]),
    ],
)
async def test_only_what_can_have_done_nothing_is_sent_again(
    method: str, *, repeatable: bool, answers: list[int], left: list[int]
) -> None:
    remaining = [*answers]
    refused = False
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(scripted(remaining)), base_url="http://api") as http:
        api = Access(http, SecretStr("aico_live_x")).api(None)
        try:
            assert await api.json(method, "/", repeatable=repeatable) == {"key": "Bearer aico_live_x"}
        except Refused:
            refused = True
    assert (remaining, refused) == (left, bool(left))


def scripted(statuses: list[int]) -> FastAPI:
    """Answers with each of these in turn, and then with the credential that it was sent."""
    app = FastAPI()

    @app.api_route("/", methods=["GET", "POST"])
    async def answer(request: Request) -> Response:
        if statuses:
            return PlainTextResponse("not now", statuses.pop(0), {"Retry-After": "0"})
        return JSONResponse({"key": request.headers["authorization"]})

    return app


def test_only_the_callers_own_credential_is_passed_on() -> None:
    headers = {"authorization": "Bearer mine", "x-tenant-id": "t", "cookie": "c", "host": "h"}
    access = Access(httpx2.AsyncClient(base_url="http://api"), key=None)
    assert access.api(headers)._credential == {"authorization": "Bearer mine", "x-tenant-id": "t"}
    assert access.api(None)._credential == {}


@pytest.mark.parametrize(
    ("host", "resource"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/mcp"),
        ("[::1]:80", "http://[::1]:80/mcp"),
        ("localhost:1", "http://localhost:1/mcp"),
        ("aico.example", "https://aico.example/mcp"),
        ("evil.example", None),
        ("", None),
    ],
)
def test_a_resource_is_where_its_client_came_to(host: str, resource: str | None) -> None:
    assert resource_at(host, ["https://aico.example/mcp"]) == resource


def test_the_metadata_of_a_resource_is_where_rfc_9728_puts_it() -> None:
    assert metadata_address("https://a.example/mcp") == "https://a.example/.well-known/oauth-protected-resource/mcp"
