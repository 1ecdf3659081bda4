"""The MCP server inside the API's process: at `/mcp`, for whoever may call the API."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aico.api.gate import Gate
from aico.core.errors import NotFound
from aico.core.settings import Settings
from aico.mcp_server.api import Access
from aico.mcp_server.resource import METADATA_PATH, PATH, metadata, metadata_address, resource_at
from aico.mcp_server.server import make_server, over_http

_INSIDE = "http://localhost"  # calls of the tools go to the same app and leave the process nowhere


class Inside:
    """The app as a request from outside meets it: with the state that its lifespan has made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": dict(self.state)}, receive, send)


def mount_mcp(app: FastAPI, settings: Settings) -> FastAPI:
    """The same app. Its tools call it in this process, each with the caller's own credential."""
    inside = Inside(app)
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(inside, raise_app_exceptions=False), base_url=_INSIDE)
    sessions = over_http(make_server(Access(http, key=None)), settings)
    outer = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[Any]:
        async with outer(running) as state, http, sessions.run():
            inside.state = dict(state or {})
            yield state

    app.router.lifespan_context = lifespan
    gate = Gate(sessions.asgi_app, _challenge(settings))
    for path in (PATH, f"{PATH}/"):  # not a mount, which would redirect the first to the second
        app.router.routes.append(Route(path, gate, methods=["POST"], include_in_schema=False))
    if settings.mcp_authorization_server is not None:
        app.router.routes.append(Route(METADATA_PATH, _metadata(settings), include_in_schema=False))
    return app


def _challenge(settings: Settings) -> Callable[[HTTPConnection], str]:
    def hint(asked: HTTPConnection) -> str:
        resource = resource_at(asked.headers.get("host", ""), settings.mcp_urls)
        if settings.mcp_authorization_server is None or resource is None:
            return ""
        return f', resource_metadata="{metadata_address(resource)}"'

    return hint


def _metadata(settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        resource = resource_at(request.headers.get("host", ""), settings.mcp_urls)
        if resource is None:
            raise NotFound("there is no such resource at this host")
        return JSONResponse(metadata(resource, str(settings.mcp_authorization_server)))

    return endpoint
