"""What every wire format offers: requests built and answers read without any I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import SecretStr, ValidationError

from aico.core.canonical import canonical_json
from aico.core.chat import ChatRequest, Completion, FinishReason
from aico.core.ids import new_id
from aico.core.redact import redact
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.providers.failures import UNREADABLE
from aico.routing.providers.logprobs import Logprobs
from aico.routing.providers.payload import Payload
from aico.routing.providers.profiles import Profile

_MESSAGE_CHARS = 200
_LEAST_STATUS, _LARGEST_STATUS = 100, 599


@dataclass(frozen=True)
class HttpRequest:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)  # hold the API key
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CacheHint:
    """What a provider is to keep of a prompt for the next call that begins alike. It changes nothing that is asked.

    `key` brings calls that begin alike to the same cache. `head`: tools and the system's messages are worth keeping;
    `conversation`: all that was said too.
    """

    key: str | None = None
    head: bool = False
    conversation: bool = False


@dataclass(frozen=True)
class CallPart:
    """What an event adds to one tool call. Parts of one call share an index; without one it is a call of its own."""

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True)
class ChoicePart:
    """What an event adds to one of the answers. `refused`: its text says why the model declined."""

    index: int = 0
    text: str = ""
    refused: bool = False
    calls: tuple[CallPart, ...] = ()
    logprobs: Logprobs | None = None
    finish: FinishReason | None = None


@dataclass(frozen=True)
class StreamPart:
    """What one event of a stream adds. `usage` is the provider's own object: later fields replace earlier ones."""

    choices: tuple[ChoicePart, ...] = ()
    usage: Mapping[str, Any] | None = None
    model: str | None = None

    @property
    def delta(self) -> str:
        """The text that the event adds to the first answer."""
        return "".join(choice.text for choice in self.choices if choice.index == 0)

    @property
    def finish(self) -> FinishReason | None:
        """How the first answer ended, where the event says so."""
        return next((choice.finish for choice in self.choices if choice.index == 0), None)


class WireError(Exception):
    """What a provider sent is an error, or no answer at all. The message is short and free of secrets."""

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code  # the provider's own name of the error
        self.status = status  # an HTTP status that the payload itself claims


class Wire(Protocol):
    def build_request(
        self,
        profile: Profile,
        api_key: SecretStr | None,
        model: Model,
        request: ChatRequest,
        *,
        stream: bool,
        caching: CacheHint | None = None,
    ) -> HttpRequest:
        """The HTTP request that asks `model` to continue the conversation, as one answer or as an event stream."""

    def parse_response(self, body: bytes) -> Completion:
        """A whole answer. Raises WireError for an error payload and for anything that is no answer."""

    def parse_event(self, data: str) -> StreamPart:
        """One server-sent event's data. Raises WireError for an error event and for anything unreadable."""

    def parse_error(self, status: int, body: bytes) -> WireError:
        """The short safe message of an answer whose HTTP status says that it failed."""

    def normalise_usage(self, raw: Mapping[str, Any]) -> Usage:
        """The provider's usage object in our terms; raises WireError where it is not one."""


P = TypeVar("P", bound=Payload)


def read_payload(shape: type[P], body: bytes | str) -> P:
    """`body` as `shape`; raises WireError naming the first field that is wrong, never quoting the body."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise _unreadable(error) from error


def read_usage(shape: type[P], raw: Mapping[str, Any]) -> P:
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        raise _unreadable(error) from error


def _unreadable(error: ValidationError) -> WireError:
    first = error.errors(include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    return WireError(f"unreadable answer: {where}: {first['type']}", code=UNREADABLE)


def auth_headers(profile: Profile, api_key: SecretStr | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json", **profile.headers}
    if api_key is not None:
        headers[profile.auth_header] = f"{profile.auth_prefix}{api_key.get_secret_value()}"
    return headers


def encode_body(body: Mapping[str, Any]) -> bytes:
    """JSON without the fields that are None. Keys keep their order: a model fills a schema in the order it is given."""
    sent = {name: value for name, value in body.items() if value is not None}
    return json.dumps(sent, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` holds, or None where it holds anything else or numbers that cannot be sent."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """A tool call's arguments as the JSON text that callers get; raises WireError for numbers that JSON lacks."""
    try:
        return canonical_json(arguments).decode()
    except ValueError as error:
        raise WireError("unreadable answer: a call's arguments: not JSON", code=UNREADABLE) from error


def new_call_id() -> str:
    """For a call whose provider gives it no id. Within the 40 characters that all providers take back."""
    return f"call_{new_id().hex}"


def max_output_tokens(request: ChatRequest, model: Model) -> int | None:
    """What the caller asked for, held to what the model can write."""
    return min(request.max_tokens, model.max_output) if request.max_tokens is not None else None


def claimed_status(code: object) -> int | None:
    """The HTTP status that an error in an answer's body names as its code; None for a number of the provider's own."""
    return code if isinstance(code, int) and _LEAST_STATUS <= code <= _LARGEST_STATUS else None


def safe_message(status: int | None, code: str | None, text: str | None) -> str:
    """One short line without line ends, control characters or anything shaped like a credential."""
    head = f"HTTP {status}" if status is not None else ""
    line = ": ".join(part for part in (head, code or "", text or "") if part) or "no explanation given"
    printable = "".join(char if char.isprintable() else " " for char in line)
    return redact(" ".join(printable.split()))[:_MESSAGE_CHARS]
