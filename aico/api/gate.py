"""The door of an app that is mounted beside the routes."""

from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from aico.api.credentials import Credentials
from aico.api.problems import from_error
from aico.core.errors import AicoError


class Gate:
    """Lets nobody through without a credential that opens the API.

    `hint` may add parameters to the challenge (RFC 6750), such as where to get a token.
    """

    def __init__(self, app: ASGIApp, hint: Callable[[HTTPConnection], str] = lambda _: "") -> None:
        self._app = app
        self._hint = hint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = HTTPConnection(scope)
        authenticator = asked.state.services.authenticator
        try:
            await authenticator.principal(Credentials.of(asked.headers))
        except AicoError as error:
            response = from_error(scope["path"], error)
            if "WWW-Authenticate" in response.headers:
                response.headers["WWW-Authenticate"] += self._hint(asked)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
