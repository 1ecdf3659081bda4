"""How a call to a provider fails, and whether trying again can help."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from aico.core.usage import Usage

_RETRYABLE_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
OVERSIZED = "oversized"
# Errors that another try cannot cure, whatever status carries them: an empty account answers 429, and an error event in
# the middle of a stream has no status at all.
_FATAL_CODES = frozenset(
    {
        "insufficient_quota",
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        OVERSIZED,
    }
)


class FailureKind(StrEnum):
    RETRYABLE = "retryable"
    FATAL = "fatal"


class ProviderError(Exception):
    """One failed call. The message is short and free of secrets; `retry_after` is in seconds.

    `content_started` says that the caller has already been given a piece of the answer; `usage` is what the provider
    had reported by then.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        http_status: int | None = None,
        retry_after: float | None = None,
        content_started: bool = False,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.http_status = http_status
        self.retry_after = retry_after
        self.content_started = content_started
        self.usage = usage


def failure_kind(status: int | None, code: str | None) -> FailureKind:
    """What to make of a failure with that HTTP status and error code, either of which may be missing."""
    if code in _FATAL_CODES:
        return FailureKind.FATAL
    if status is None or status < HTTPStatus.MULTIPLE_CHOICES:
        return FailureKind.RETRYABLE  # the connection broke or the answer made no sense
    if status in _RETRYABLE_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FailureKind.RETRYABLE
    return FailureKind.FATAL


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the provider asks us to wait: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date."""
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return max(0.0, millis / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return None if seconds is None else max(0.0, seconds)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None  # neither form of the header: as if it were absent
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and number < float("inf") else None
