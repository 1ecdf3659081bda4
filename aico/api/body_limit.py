"""Refuses bodies that are too large before they are read into memory."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aico.api.problems import refused
from aico.api.schemas import Problem


class BodyLimit:
    """Answers 413 to a declared length above the limit, and to a longer stream as soon as it passes it."""

    def __init__(self, app: ASGIApp, *, limit: int, others: Mapping[tuple[str, str], int]) -> None:
        """`others` are the limits of single routes, by method and path."""
        self._app = app
        self._limit = limit
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._others.get((scope["method"], scope["path"]), self._limit)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if declared is None or not declared.isdigit():
            await self._counted(scope, receive, send, limit)
        elif int(declared) > limit:
            await self._refuse(scope, receive, send, limit)
        else:  # the server delivers no more than was declared: nothing to count
            await self._app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        seen = 0
        exceeded = False

        async def counting() -> Message:
            nonlocal seen, exceeded
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    exceeded = True
                    return {"type": "http.disconnect"}
            return message

        async def answering(message: Message) -> None:
            if not exceeded:
                await send(message)

        try:
            await self._app(scope, counting, answering)
        finally:
            if exceeded:
                await self._refuse(scope, receive, send, limit)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        response = refused(
            scope["path"],
            Problem(
                title="Request too large",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                detail=f"the body is larger than {limit} bytes",
                code="payload_too_large",
            ),
            {"Connection": "close"},
        )
        await response(scope, receive, send)
