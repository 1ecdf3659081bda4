"""The door in front of the server, as hosted projects have it: every request says by which API key it comes."""

import hmac
from http import HTTPStatus

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from aico.embedded.auth.refusals import Refusal

HEADER = "apikey"
_BROWSER = "mozilla/"  # how every browser begins to introduce itself


class Keys:
    def __init__(self, publishable: SecretStr, secret: SecretStr) -> None:
        self._publishable = publishable.get_secret_value()
        self._secret = secret.get_secret_value()

    def is_secret(self, key: str | None, *, agent: str, browser: bool = False) -> bool:
        """Raises Refusal where it is missing, unknown, or the secret one in a browser."""
        if not key:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "no_authorization", "No API key found in request")
        secret = _same(key, self._secret)
        if secret and (browser or _BROWSER in agent.lower()):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "no_authorization", "Forbidden use of secret API key in browser")
        if not secret and not _same(key, self._publishable):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "no_authorization", "Invalid API key")
        return secret


class Gateway:
    """Raises Refusal as `Keys` does. Notes whether the key is the secret one."""

    def __init__(self, app: ASGIApp, *, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        key = headers.get(HEADER)
        secret = self._keys.is_secret(key, agent=headers.get("user-agent", ""))
        scope["state"]["secret_key"] = key if secret else None
        await self._app(scope, receive, send)


def _same(key: str, wanted: str) -> bool:
    return hmac.compare_digest(key.encode(), wanted.encode())
