"""How prompts are taken in: documented by the framework from each endpoint's signature, without its dependency solver.

Parsing the body straight into the model and asking for the dependencies by hand saves a third of a submit's CPU.
"""

from collections.abc import Callable, Coroutine
from email.message import Message
from inspect import signature
from typing import Any, TypeVar, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from aico.api.idempotency import idempotency_key
from aico.api.rate_limit import expected_tokens
from aico.api.schemas import MAX_WAIT_SECONDS, WaitQuery
from aico.api.services import may_write, services
from aico.store.jobs import IdempotencyKey

JSON = "application/json"

M = TypeVar("M", bound=BaseModel)


class SubmitRoute(APIRoute):
    """For endpoints that take these, by name, and nothing else.

    `request`, a model of the body; `held`, the services; `principal`, a writer; `key`, an idempotency key; perhaps
    `wait`, a time to wait; perhaps `http`, the request as it came.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        names = signature(endpoint).parameters
        body: type[BaseModel] = get_type_hints(endpoint)["request"]

        async def handle(http: Request) -> Response:
            principal = await may_write(http)
            rest: dict[str, Any] = {"wait": wait_seconds(http)} if "wait" in names else {}
            if "http" in names:
                rest["http"] = http
            request = await read_body(http, body)
            held = await services(http)
            key = idempotency_key(http.headers, request, held.settings.idempotency_ttl_seconds)
            tokens = expected_tokens(request) if held.limiter.counts_tokens else 0
            limits = await held.limiter.take(principal, tokens)
            response = await endpoint(request=request, held=held, principal=principal, key=key, **rest)
            response.headers.update(limits)
            return response

        return handle


def parsed(key: "str | IdempotencyKey | None") -> IdempotencyKey | None:
    """SubmitRoute has parsed the header; the endpoints' signatures are what the OpenAPI document shows."""
    return key if isinstance(key, IdempotencyKey) else None


async def read_body(http: Request, model: type[M]) -> M:
    """Raises RequestValidationError, as the framework does."""
    if not _is_json(http.headers.get("content-type", "")):
        fault = {"type": "content_type", "loc": ("body",), "msg": f"declare the body as Content-Type: {JSON}"}
        raise RequestValidationError([fault])
    try:
        return model.model_validate_json(await http.body())
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error


def wait_seconds(request: Request) -> float:
    if not request.scope["query_string"]:  # as nearly all are
        return MAX_WAIT_SECONDS
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
