"""What requests may say. What no part of this server does is refused, not overlooked."""

import json
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationError
from starlette.requests import Request

from aico.core.inputs import Text
from aico.embedded.auth.passwords import LONGEST, SHORTEST
from aico.embedded.auth.refusals import Refusal

LARGEST_BODY = 64 * 1024  # bytes
_LARGEST_METADATA = 16 * 1024  # characters of JSON; it is a part of every token
_LONGEST_EMAIL = 254
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)*")
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST_BAN = timedelta(days=200 * 365)


def _email(text: str) -> str:
    email = text.strip().lower()
    if len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise ValueError("Unable to validate email address: invalid format")
    return email


def _metadata(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except ValueError as error:
        raise ValueError("holds a number that JSON cannot") from error
    if size > _LARGEST_METADATA:
        raise ValueError(f"is longer than {_LARGEST_METADATA} characters")
    return value


def _not_here(value: Any) -> Any:
    if value:
        raise ValueError("is not supported by this server")
    return value


def _ban(text: str) -> datetime | None:
    """`none`, or a span of time as Go writes it, such as 1h30m."""
    if text == "none":
        return None
    if not re.fullmatch(f"(?:{_SPAN.pattern})+", text, re.ASCII):
        raise ValueError("must be a span of time such as 24h, or none")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))
    if seconds > _LONGEST_BAN.total_seconds():
        raise ValueError("must be shorter than two hundred years")
    return datetime.now(UTC) + timedelta(seconds=seconds)


Email = Annotated[Text, AfterValidator(_email)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_metadata)]
NotHere = Annotated[Any, AfterValidator(_not_here)]


class _Body(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)


class SignUp(_Body):
    email: Email | None = None
    phone: NotHere = None
    password: SecretStr | None = None
    data: Metadata | None = None


class PasswordGrant(_Body):
    email: Email
    password: SecretStr


class RefreshGrant(_Body):
    refresh_token: Annotated[Text, Field(min_length=1, max_length=512)]


class UserChange(_Body):
    email: Email | None = None
    phone: NotHere = None
    password: SecretStr | None = None
    current_password: SecretStr | None = None
    data: Metadata | None = None


class ManagedUser(_Body):
    """What an administrator says about somebody."""

    id: UUID | None = None
    email: Email | None = None
    phone: NotHere = None
    password: SecretStr | None = None
    password_hash: NotHere = None
    email_confirm: bool = False
    user_metadata: Metadata | None = None
    app_metadata: Metadata | None = None
    ban_duration: Text | None = None
    role: Literal["authenticated"] | None = None  # any other would pass for more than a user

    def banned_until(self) -> datetime | None:
        """Raises Refusal."""
        if self.ban_duration is None:
            return None
        try:
            return _ban(self.ban_duration)
        except ValueError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, "validation_failed", f"ban_duration {error}") from error


class Removal(_Body):
    should_soft_delete: NotHere = None


BodyT = TypeVar("BodyT", bound=_Body)


async def read(request: Request, model: type[BodyT]) -> BodyT:
    """The request's body; an empty one is an empty object. Raises Refusal."""
    body = await _bounded(request)
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_json", "Could not parse request body as JSON")
    field = ".".join(map(str, fault["loc"]))
    message = fault["msg"].removeprefix("Value error, ")
    raise Refusal(HTTPStatus.BAD_REQUEST, "validation_failed", f"{field}: {message}" if field else message)


def required_strength(password: str) -> str:
    """The password. Raises Refusal where it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "weak_password",
            f"Password should be {SHORTEST} to {LONGEST} characters.",
            weak_password={"reasons": ["length"]},
        )
    return password


def merged(kept: dict[str, Any], said: dict[str, Any] | None) -> dict[str, Any] | None:
    """Metadata after a change: null takes a key away. None where nothing is said. Raises Refusal for too much of it."""
    if said is None:
        return None
    after = {name: value for name, value in {**kept, **said}.items() if value is not None}
    try:
        return _metadata(after)
    except ValueError as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "validation_failed", f"metadata {error}") from error


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "validation_failed",
                f"The body is larger than {LARGEST_BODY} bytes",
            )
    return bytes(body)
