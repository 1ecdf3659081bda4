"""Gives each request an id, which its answer names and its log lines carry: what a caller quotes. And times it."""

import os
import re
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aico.api.request_times import RequestTimes

HEADER = "x-request-id"
_GIVEN = re.compile(rb"[A-Za-z0-9_.:-]{1,128}")


class RequestId:
    """A caller's own id is kept where it is a plain word. `openai-processing-ms` is the time until the headers."""

    def __init__(self, app: ASGIApp, times: RequestTimes) -> None:
        self._app = app
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _NAME), b"")
        name = given if _GIVEN.fullmatch(given) else b"req_" + os.urandom(16).hex().encode()
        started = time.monotonic()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.monotonic() - started
                self._times.note(scope["method"], scope["path"], message["status"], seconds)
                millis = b"%d" % (seconds * 1000)
                message["headers"] = [*message["headers"], (_NAME, name), (b"openai-processing-ms", millis)]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=name.decode())  # each request has a task, so a context, alone
        await self._app(scope, receive, named)


_NAME = HEADER.encode()
