"""Errors as Supabase's clients read them, in the shape of the API version that they ask for."""

from datetime import date
from http import HTTPStatus
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_VERSION_HEADER = "X-Supabase-Api-Version"
_CODES_IN_CODE = date(2024, 1, 1)  # since then `code` is the error's code; before it was the status
_STATUS_CODES = {404: "not_found", 405: "method_not_allowed"}


class Refusal(Exception):
    """An answer other than what was asked for. `code` is one of Supabase's error codes; no message tells who exists."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after  # seconds
        self.fields = fields  # what the body says beside


async def refused(request: Request, error: Exception) -> Response:
    return _rendered(request, cast("Refusal", error))  # Starlette calls a handler with the class it was registered for


async def not_served(request: Request, error: Exception) -> Response:
    """No such path, or not with this method."""
    known = cast("HTTPException", error)
    code = _STATUS_CODES.get(known.status_code, "validation_failed")
    return _rendered(request, Refusal(known.status_code, code, known.detail))


async def unavailable(request: Request, _: Exception) -> Response:
    return _rendered(request, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unexpected_failure", "The database is away"))


async def unexpected(request: Request, _: Exception) -> Response:
    return _rendered(
        request, Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected_failure", "Unexpected failure, see the log")
    )


def _rendered(request: Request, refusal: Refusal) -> Response:
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else {}
    if _asks_for_codes(request.headers.get(_VERSION_HEADER, "")):
        body = {"code": refusal.code, "message": refusal.message, **refusal.fields}
        headers[_VERSION_HEADER] = _CODES_IN_CODE.isoformat()
    else:
        body = {"code": refusal.status, "error_code": refusal.code, "msg": refusal.message, **refusal.fields}
    return JSONResponse(body, refusal.status, headers)


def _asks_for_codes(version: str) -> bool:
    """Whether it is a date since which that holds; what is no date asks for nothing."""
    try:
        return date.fromisoformat(version) >= _CODES_IN_CODE
    except ValueError:
        return False
