"""How prompts are taken in: documented by the framework from each endpoint's signature, without its dependency solver.

Parsing the body straight into the model and asking for the dependencies by hand saves a third of a submit's CPU.
"""

from collections.abc import Callable, Coroutine
from email.message import Message
from inspect import signature
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError

from aico.api.idempotency import idempotency_key
from aico.api.rate_limit import expected_tokens
from aico.api.schemas import JobRequest, WaitQuery
from aico.api.services import may_write, services

JSON = "application/json"


class SubmitRoute(APIRoute):
    """For endpoints that take a JobRequest, the services, a writer, an idempotency key, and perhaps a time to wait."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        waits = "wait" in signature(endpoint).parameters

        async def handle(request: Request) -> Response:
            principal = await may_write(request)
            wait = (wait_seconds(request),) if waits else ()
            job = await job_request(request)
            held = await services(request)
            key = idempotency_key(request.headers, job, held.settings.idempotency_ttl_seconds)
            tokens = expected_tokens(job.chat()) if held.limiter.counts_tokens else 0
            limits = await held.limiter.take(principal, tokens)
            response = await endpoint(job, held, principal, key, *wait)
            response.headers.update(limits)
            return response

        return handle


async def job_request(request: Request) -> JobRequest:
    """Raises RequestValidationError, as the framework does."""
    if not _is_json(request.headers.get("content-type", "")):
        fault = {"type": "content_type", "loc": ("body",), "msg": f"declare the body as Content-Type: {JSON}"}
        raise RequestValidationError([fault])
    try:
        return JobRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error


def wait_seconds(request: Request) -> float:
    try:
        return WaitQuery.model_validate(dict(request.query_params)).wait
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    message = Message()
    message["Content-Type"] = content_type
    return message.get_content_type() == JSON or message.get_content_subtype().endswith("+json")
