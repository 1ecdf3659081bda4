"""The product's error tree. Each error knows how it is shown: a status, a stable code and a title.

AicoError
├── InvalidInput            400  the request can never succeed as it is
│   ├── UnknownModel        404
│   ├── UnknownPrevious     400  the response that a conversation is to go on from
│   └── PayloadTooLarge     413
├── Unauthorized            401
├── BudgetExceeded          402  no model answers within what may be spent, or a quota is used up
├── Forbidden               403
│   └── ModelNotAllowed     403  the API key may not use it
├── NotFound                404
├── Conflict                409  what is there does not allow it
├── KeyReused               422  an idempotency key that stands for another request
├── NoProvider              422  nothing is configured that could answer
├── RateLimited             429  the tenant has used up what it is granted
└── Unavailable             503  a dependency does not answer; trying again may help
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar


class AicoError(Exception):
    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        param: str | None = None,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        violated: Sequence[str] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.param = param  # the input field at fault, as a JSON path
        self.retry_after = retry_after  # seconds
        self.headers = dict(headers or {})  # what else a reply over HTTP says
        self.violated = tuple(violated)  # the quotas that have no room, by name


class InvalidInput(AicoError):
    status = HTTPStatus.BAD_REQUEST
    code = "invalid_input"
    title = "Invalid input"


class UnknownModel(InvalidInput):
    status = HTTPStatus.NOT_FOUND
    code = "model_not_found"
    title = "Unknown model"


class UnknownPrevious(InvalidInput):
    code = "previous_response_not_found"
    title = "Unknown previous response"


class PayloadTooLarge(InvalidInput):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "payload_too_large"
    title = "Request too large"


class Unauthorized(AicoError):
    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    title = "Authentication required"


class BudgetExceeded(AicoError):
    status = HTTPStatus.PAYMENT_REQUIRED
    code = "budget_exceeded"
    title = "Budget exceeded"


class Forbidden(AicoError):
    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    title = "Not allowed"


class ModelNotAllowed(Forbidden):
    code = "model_not_allowed"
    title = "Model not allowed"


class NotFound(AicoError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"
    title = "Not found"


class Conflict(AicoError):
    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "Conflict"


class KeyReused(AicoError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_key_reused"
    title = "Idempotency key reused"


class NoProvider(AicoError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "no_provider"
    title = "No provider configured"


class RateLimited(AicoError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limit_exceeded"
    title = "Too many requests"


class Unavailable(AicoError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "Temporarily unavailable"
