"""The door in front of the server, as hosted projects have it: every request says by which API key it comes."""

import hmac
from http import HTTPStatus

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from aico.embedded.auth.refusals import Refusal

HEADER = "apikey"
_BROWSER = "mozilla/"  # how every browser begins to introduce itself


class Gateway:
    """Raises Refusal where the key is missing, unknown, or the secret one in a browser. Notes whether it is secret."""

    def __init__(self, app: ASGIApp, *, publishable: SecretStr, secret: SecretStr) -> None:
        self._app = app
        self._publishable = publishable.get_secret_value()
        self._secret = secret.get_secret_value()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        key = headers.get(HEADER)
        if not key:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "no_authorization", "No API key found in request")
        secret = _same(key, self._secret)
        if secret and _BROWSER in headers.get("user-agent", "").lower():
            raise Refusal(HTTPStatus.UNAUTHORIZED, "no_authorization", "Forbidden use of secret API key in browser")
        if not secret and not _same(key, self._publishable):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "no_authorization", "Invalid API key")
        scope["state"]["secret_key"] = key if secret else None
        await self._app(scope, receive, send)


def _same(key: str, wanted: str) -> bool:
    return hmac.compare_digest(key.encode(), wanted.encode())
