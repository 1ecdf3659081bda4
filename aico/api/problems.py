"""Errors as RFC 9457 problem details, the same for our own, the framework's and those nobody expected."""

import json
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from aico.api.schemas import Problem
from aico.core.errors import AicoError, Unavailable

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_SHOWN_ERRORS = 10
_DESCRIPTIONS = {
    400: "Malformed JSON, or a request that no model here can serve",
    401: "No valid API key or token",
    403: "Not allowed for this tenant or role",
    404: "No such model, job or endpoint",
    409: "What is there does not allow it",
    413: "Prompt or body too large",
    422: "Well-formed, but not a request that can be answered",
    503: "A dependency does not answer; try again",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its `responses` in the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"model": Problem, "content": {MEDIA_TYPE: {"schema": schema}}, "description": _DESCRIPTIONS[status]}
        for status in statuses
    }


def problem(body: Problem, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(body.model_dump(exclude_none=True), ensure_ascii=True)
    return Response(content, body.status, headers, MEDIA_TYPE)


def from_error(error: AicoError) -> Response:
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="aico"'
    return problem(
        Problem(title=error.title, status=error.status, detail=error.detail, code=error.code, param=error.param),
        headers,
    )


def from_validation(error: RequestValidationError) -> Response:
    """Malformed JSON is a 400; well-formed JSON that does not fit is a 422 that names each fault."""
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        where = next(fault for fault in faults if fault["type"] == "json_invalid")
        detail = f"the body is not JSON: {where.get('ctx', {}).get('error', 'it cannot be parsed')}"
        return problem(Problem(title="Malformed JSON", status=HTTPStatus.BAD_REQUEST, detail=detail, code="bad_json"))
    shown = [{"param": _path(fault["loc"]), "message": _message(fault)} for fault in faults[:_SHOWN_ERRORS]]
    first = shown[0]
    return problem(
        Problem(
            title="Invalid input",
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            detail=f"{first['param']}: {first['message']}" if first["param"] else first["message"],
            code="invalid_input",
            param=first["param"] or None,
            errors=shown,
        )
    )


def _path(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location if part not in {"body", "query", "path"})


def _message(fault: dict[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")


def install(app: FastAPI) -> None:
    @app.exception_handler(AicoError)
    async def on_error(_: Request, error: AicoError) -> Response:
        return from_error(error)

    @app.exception_handler(RequestValidationError)
    async def on_validation(_: Request, error: RequestValidationError) -> Response:
        return from_validation(error)

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase
        code = title.lower().replace(" ", "_")
        body = Problem(title=title, status=error.status_code, detail=str(error.detail), code=code)
        return problem(body, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def on_surprise(request: Request, error: Exception) -> Response:
        log.error("unexpected_error", path=request.url.path, exc_info=error)
        detail = "an unexpected error; it has been logged"
        return problem(Problem(title="Internal error", status=500, detail=detail, code="internal_error"))
