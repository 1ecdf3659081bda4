"""Each request as a span, under that of whoever sent it."""

from http import HTTPMethod, HTTPStatus

from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aico.tracing import spans
from aico.tracing.context import TraceContext
from aico.tracing.spans import Kind, Span

_UNSEEN = frozenset({"/health", "/health/live", "/metrics"})  # asked every few seconds, by machines
_METHODS = frozenset(HTTPMethod)


class Traced:
    """Honours `traceparent`. Of an address only the route is noted: ids and queries are the caller's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNSEEN:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("traceparent")
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        with spans.span(method, TraceContext.parse(given[0]) if len(given) == 1 else None, kind=Kind.SERVER) as span:
            try:
                await self._app(scope, receive, send if span is None else _noting(span, send))
            finally:
                if span is not None:
                    _name(span, method, scope)


def _noting(span: Span, send: Send) -> Send:
    async def noted(message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            span.attributes["http.response.status_code"] = status
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                span.error = str(status)
        await send(message)

    return noted


def _name(span: Span, method: str, scope: Scope) -> None:
    """By the route, which is known once the request has been served."""
    route = scope.get("route")
    path = route.path if isinstance(route, Route) else None
    span.name = method if path is None else f"{method} {path}"
    span.attributes |= {"http.request.method": method, "http.route": path}
