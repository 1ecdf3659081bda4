"""Gives each request an id, which its answer names and its log lines carry: what a caller quotes."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
_GIVEN = re.compile(rb"[A-Za-z0-9_.:-]{1,128}")


class RequestId:
    """A caller's own id is kept where it is a plain word. `openai-processing-ms` is the time until the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER.encode()), b"")
        name = given.decode() if _GIVEN.fullmatch(given) else f"req_{uuid4().hex}"
        started = time.monotonic()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[HEADER] = name
                headers["openai-processing-ms"] = str(int((time.monotonic() - started) * 1000))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=name):
            await self._app(scope, receive, named)
