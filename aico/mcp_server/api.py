"""The HTTP API as the tools call it: patient with restarts, precise about refusals, and as whoever asks."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import SecretStr

Json = dict[str, Any]

_PASSED_ON = ("authorization", "x-tenant-id")
_UNCHANGED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}  # refused before anything was done
_AGAIN = _UNCHANGED | {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0
_MOMENT = "Try again in a moment."
_ADVICE: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "Correct the arguments and call again.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Correct the arguments and call again.",
    HTTPStatus.UNAUTHORIZED: "Whoever set this server up has to give it a valid key: AICO_API_KEY in the environment"
    " of `aico mcp`, or the Authorization header over HTTP.",
    HTTPStatus.NOT_FOUND: "Use an id that one of these tools returned, or a model that the installation has.",
    HTTPStatus.TOO_MANY_REQUESTS: _MOMENT,
    HTTPStatus.SERVICE_UNAVAILABLE: _MOMENT,
}


class Refused(ToolError):
    """The API said no, or nothing that makes sense. The message says what to do about it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """How the API is reached, and with which key: this process's own, or without one each caller's credential."""

    http: httpx2.AsyncClient
    key: SecretStr | None
    patience_seconds: float = 30

    def api(self, headers: Mapping[str, str] | None) -> "Api":
        """For the caller who sent these headers; over stdio there are none."""
        if self.key is not None:
            return Api(self, {"authorization": f"Bearer {self.key.get_secret_value()}"})
        given = headers or {}
        return Api(self, {name: given[name] for name in _PASSED_ON if name in given})


class Api:
    def __init__(self, access: Access, credential: Mapping[str, str]) -> None:
        self._access = access
        self._credential = dict(credential)

    async def json(self, method: str, path: str, **options: Any) -> Json:
        """Like `call`, for routes that answer with an object."""
        response = await self.call(method, path, **options)
        return dict(response.json())

    async def call(self, method: str, path: str, *, repeatable: bool = True, **options: Any) -> httpx2.Response:
        """A successful response; other `options` as httpx2 takes them. Raises Refused for any other.

        Rides out restarts. What is not `repeatable` is sent again only where the first time can have done nothing.
        """
        headers = {**self._credential, **options.pop("headers", {})}
        give_up = time.monotonic() + self._access.patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            response = await self._once(method, path, repeatable=repeatable, headers=headers, **options)
            if response is not None and response.is_success:
                return response
            again = response is None or response.status_code in (_AGAIN if repeatable else _UNCHANGED)
            wait = max(pause, _retry_after(response))
            if not again or time.monotonic() + wait > give_up:
                raise self._refusal(response)
            await asyncio.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _once(self, method: str, path: str, *, repeatable: bool, **options: Any) -> httpx2.Response | None:
        """None where no answer came and another try does no harm."""
        try:
            return await self._access.http.request(method, path, **options)
        except httpx2.TransportError as error:
            if repeatable or isinstance(error, httpx2.ConnectError):
                return None
            message = f"the connection broke before {self._access.http.base_url} answered; it may have done its work"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, message) from error

    def _refusal(self, response: httpx2.Response | None) -> Refused:
        if response is None:
            message = f"no API answers at {self._access.http.base_url}. Start it with `aico up`, or correct"
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"{message} COST_OPTIMIZER_API_URL. {_MOMENT}")
        return Refused(response.status_code, explain(response.status_code, _body(response)))


def explain(status: int, body: Mapping[str, Any]) -> str:
    """What went wrong and what to do, from a problem (RFC 9457) or from an error as OpenAI writes it."""
    error = body.get("error")
    said = error if isinstance(error, Mapping) else body
    detail = said.get("detail") or said.get("message") or f"the API answered with status {status}"
    faults = body.get("errors") or ()
    if len(faults) > 1:
        detail = "; ".join(f"{fault['param']}: {fault['message']}" for fault in faults)
    code = f" ({said['code']})" if said.get("code") else ""
    advice = _ADVICE.get(status, "")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not advice:
        advice = "This is a fault of the service; its log says more."
    return f"{detail.rstrip('.')}{code}. {advice}".strip()


def _body(response: httpx2.Response) -> Json:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(response: httpx2.Response | None) -> float:
    """Seconds; 0 where nothing that can be read was said."""
    text = response.headers.get("Retry-After", "") if response is not None else ""
    return float(text) if text.isdecimal() and text.isascii() else 0.0
