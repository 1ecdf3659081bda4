"""Errors as OpenAI's clients expect them: the body, the status, and whether they may send the request again.

Their own rule is to send again after 408, 409, 429 and every 5xx, at most twice; `x-should-retry` overrules it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from aico.core.errors import AicoError, Unavailable
from aico.core.jobs import Job, JobError

_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.PAYMENT_REQUIRED: "insufficient_quota",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
_CODES = {"unauthorized": "invalid_api_key"}  # where their clients look for a code of their own
# What a job's error means to somebody who waited for its answer. It was tried again here for as long as that could
# help, so the caller is told not to.
_JOB_STATUSES = {
    "budget_exceeded": HTTPStatus.PAYMENT_REQUIRED,
    "cancelled": HTTPStatus.CONFLICT,
    "deadline_exceeded": HTTPStatus.GATEWAY_TIMEOUT,
    "invalid_input": HTTPStatus.BAD_REQUEST,
    "model_not_allowed": HTTPStatus.FORBIDDEN,
    "model_not_found": HTTPStatus.NOT_FOUND,
    "no_provider": HTTPStatus.BAD_REQUEST,
    "payload_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "request_refused": HTTPStatus.BAD_REQUEST,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it goes over the wire."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def type(self) -> str:
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "server_error"
        return _TYPES.get(HTTPStatus(self.status), "invalid_request_error")


def failure_of(error: AicoError) -> Failure:
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, Unavailable):
        headers |= {"Retry-After": "1", "x-should-retry": "true"}
    elif error.status in {HTTPStatus.CONFLICT, HTTPStatus.PAYMENT_REQUIRED}:
        headers["x-should-retry"] = "false"  # what is in the way does not go away by itself
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="aico"'
    return Failure(error.status, error.detail, _CODES.get(error.code, error.code), error.param, headers)


def ended_without_answer(job: Job) -> Failure:
    error = job.error or JobError(code=job.status.value, message=f"the job is {job.status.value}")
    return failure_of_job(error)


def answer_late(where: str) -> Failure:
    """The time is up, not the job's: `where` its answer will be read."""
    message = f"no answer yet; the job goes on: GET {where} has its answer when it ends"
    return Failure(HTTPStatus.GATEWAY_TIMEOUT, message, "answer_late", headers={"x-should-retry": "false"})


def failure_of_job(error: JobError) -> Failure:
    status = _JOB_STATUSES.get(error.code, HTTPStatus.BAD_GATEWAY)
    return Failure(status, error.message, error.code, headers={"x-should-retry": "false"})


def failure_of_faults(error: ValidationError) -> Failure:
    """The first fault of a body that is no such request."""
    fault = error.errors(include_url=False, include_input=False)[0]
    path, message = path_of(fault["loc"]), message_of(fault)
    shown = f"{path}: {message}" if path else message
    return Failure(HTTPStatus.BAD_REQUEST, shown, "invalid_input", path or None)


def path_of(location: tuple[Any, ...]) -> str:
    """Where a fault is, as callers write it."""
    return ".".join(str(part) for part in location if part not in {"body", "query", "path"})


def message_of(fault: Mapping[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")
