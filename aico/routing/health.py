"""What the end of one call says about the health of its provider, its key and its model."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from aico.routing.breaker import Kind, Mark, Marks
from aico.routing.providers.failures import Cause, FailureKind, ProviderError

_NOTHING: Marks = MappingProxyType(dict.fromkeys(Kind, Mark.NOTHING))
GOOD: Marks = MappingProxyType(dict.fromkeys(Kind, Mark.GOOD))
# Retryable, and nothing is wrong with the model: a conflict is the request's, a rate limit the pacer's.
_NO_SICKNESS = {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
_CAUSES: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.UNREACHABLE: "unreachable",
        Cause.TIMEOUT: "timeout",
        Cause.BROKEN: "connection broken",
        Cause.UNREADABLE: "unreadable answer",
    }
)


def nothing_learned() -> Marks:
    """Of a call that was stopped, or never made."""
    return _NOTHING


def marks_of(error: ProviderError, *, whole: bool) -> Marks:
    """`whole`: the call had all the time that a call is given. One that had less says nothing by taking longer."""
    if error.cause is Cause.UNREACHABLE:
        return {**_NOTHING, Kind.PROVIDER: Mark.BAD}
    reached = {**_NOTHING, Kind.PROVIDER: Mark.NOTHING if error.http_status is None else Mark.GOOD}
    if error.key_refused:
        return {**reached, Kind.KEY: Mark.BAD}
    in_time = error.cause is not Cause.TIMEOUT or (whole and not error.content_started)
    if error.kind is FailureKind.RETRYABLE and error.http_status not in _NO_SICKNESS and in_time:
        return {**reached, Kind.MODEL: Mark.BAD}
    return reached


def error_class(error: ProviderError) -> str:
    """The sort of failure, for people: nothing of what was sent or answered."""
    if error.cause is not None:
        return _CAUSES[error.cause]
    return f"HTTP {error.http_status}" if error.http_status is not None else error.kind.value
