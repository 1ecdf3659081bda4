"""Errors, the same for our own, the framework's and those nobody expected.

They are RFC 9457 problem details on this service's own routes, and have OpenAI's shape on those that speak its formats.
"""

import json
import re
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from aico.api.schemas import Problem
from aico.core.errors import AicoError, Unavailable
from aico.wire.errors import Failure, failure_of, message_of, path_of

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
_SHOWN_ERRORS = 10
# OpenAI's routes, also those that do not exist here: their clients can read what they are told.
_OPENAI = re.compile(
    r"/v1/(?:chat/completions|responses|files|batches|embeddings|models|completions|moderations|images|audio|uploads"
    r"|fine_tuning|vector_stores|conversations|videos|evals)(?:/|$)"
)
_DESCRIPTIONS = {
    400: "Malformed JSON, or a request that no model here can serve",
    401: "No valid API key or token",
    402: "No model answers within the budget that the request sets, or a quota is used up",
    403: "Not allowed for this tenant or role",
    404: "No such model, job or endpoint",
    409: "What is there does not allow it",
    413: "Prompt or body too large",
    422: "Well-formed, but not a request that can be answered",
    429: "The tenant has used up what it is granted a minute",
    502: "No model answered, and trying again has not helped",
    503: "A dependency does not answer; try again",
    504: "No answer in time; the job may go on",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its `responses` in the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"model": Problem, "content": {MEDIA_TYPE: {"schema": schema}}, "description": _DESCRIPTIONS[status]}
        for status in statuses
    }


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """An error as OpenAI's clients read it."""

    error: ErrorDetail


def documented_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Likewise, of a route that speaks OpenAI's formats."""
    return {status: {"model": ErrorBody, "description": _DESCRIPTIONS[status]} for status in statuses}


def speaks_openai(path: str) -> bool:
    """Whether whoever asks there expects OpenAI's formats, of errors too."""
    return _OPENAI.match(path) is not None


def refused(path: str, body: Problem, headers: dict[str, str] | None = None) -> Response:
    """The error in the shape that whoever asks at this path expects."""
    if not speaks_openai(path):
        return problem(body, headers)
    return failed(Failure(body.status, body.detail, body.code, body.param, headers or {}))


def failed(failure: Failure) -> Response:
    content = json.dumps(failure.body, ensure_ascii=True)
    return Response(content, failure.status, failure.headers, "application/json")


def problem(body: Problem, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(body.model_dump(by_alias=True, exclude_none=True), ensure_ascii=True)
    return Response(content, body.status, headers, MEDIA_TYPE)


def from_error(path: str, error: AicoError) -> Response:
    if speaks_openai(path):
        return failed(failure_of(error))
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="aico"'
    body = Problem(title=error.title, status=error.status, detail=error.detail, code=error.code, param=error.param)
    if error.violated:
        body.type, body.violated_policies = QUOTA_EXCEEDED, list(error.violated)
    return problem(body, headers)


def from_validation(path: str, error: RequestValidationError) -> Response:
    """Malformed JSON is a 400. Well-formed JSON that does not fit names each fault: 422, or 400 as OpenAI has it."""
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        where = next(fault for fault in faults if fault["type"] == "json_invalid")
        detail = f"the body is not JSON: {where.get('ctx', {}).get('error', 'it cannot be parsed')}"
        body = Problem(title="Malformed JSON", status=HTTPStatus.BAD_REQUEST, detail=detail, code="bad_json")
        return refused(path, body)
    shown = [{"param": path_of(fault["loc"]), "message": message_of(fault)} for fault in faults[:_SHOWN_ERRORS]]
    first = shown[0]
    status = HTTPStatus.BAD_REQUEST if speaks_openai(path) else HTTPStatus.UNPROCESSABLE_ENTITY
    return refused(
        path,
        Problem(
            title="Invalid input",
            status=status,
            detail=f"{first['param']}: {first['message']}" if first["param"] else first["message"],
            code="invalid_input",
            param=first["param"] or None,
            errors=shown,
        ),
    )


def _methods(request: Request) -> set[str]:
    """All that may be done there. The framework names those of the first route that it meets."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    there = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    exact = [route for route in there if route.path == request.url.path]  # before those that take it for an id
    return {method for route in exact or there for method in route.methods or ()}


def install(app: FastAPI) -> None:
    @app.exception_handler(AicoError)
    async def on_error(request: Request, error: AicoError) -> Response:
        return from_error(request.url.path, error)

    @app.exception_handler(RequestValidationError)
    async def on_validation(request: Request, error: RequestValidationError) -> Response:
        return from_validation(request.url.path, error)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase
        code = title.lower().replace(" ", "_")
        body = Problem(title=title, status=error.status_code, detail=str(error.detail), code=code)
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_methods(request)))
        return refused(request.url.path, body, headers)

    @app.exception_handler(Exception)
    async def on_surprise(request: Request, error: Exception) -> Response:
        log.error("unexpected_error", path=request.url.path, exc_info=error)
        detail = "an unexpected error; it has been logged"
        body = Problem(title="Internal error", status=500, detail=detail, code="internal_error")
        # The server ends the connection next: a client that kept it would lose its next request.
        return refused(request.url.path, body, {"Connection": "close"})
