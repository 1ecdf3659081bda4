"""How a call to a provider fails, and whether trying again can help."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from aico.core.usage import Usage

_RETRYABLE_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
OVERSIZED = "oversized"
UNREADABLE = "unreadable"
TRUNCATED = "truncated"
CONTENT_FLAGGED = "content_flagged"
KEY_REFUSED = "authentication_error"
EMPTY_ACCOUNT = "insufficient_quota"
# A 403 for what was asked, and not for who asked: another request with the same key may pass.
_ABOUT_THE_REQUEST = frozenset({CONTENT_FLAGGED, "model_not_found"})
# Errors that another try cannot cure, whatever status carries them: an empty account answers 429, and an error event in
# the middle of a stream has no status at all.
_FATAL_CODES = frozenset(
    {
        EMPTY_ACCOUNT,
        "invalid_request_error",
        KEY_REFUSED,
        "permission_error",
        "not_found_error",
        OVERSIZED,
    }
)


class FailureKind(StrEnum):
    RETRYABLE = "retryable"
    FATAL = "fatal"


class Cause(StrEnum):
    """Why there was no answer, where it is not the status that says so."""

    UNREACHABLE = "unreachable"  # no connection came about
    TIMEOUT = "timeout"
    BROKEN = "broken"  # the connection was lost
    UNREADABLE = "unreadable"  # what was sent is no answer


class ProviderError(Exception):
    """One failed call. The message is short and free of secrets; `retry_after` is in seconds.

    `content_started` says that the caller has already been given a piece of the answer; `usage` is what the provider
    had reported by then. `code` is the provider's own name of the error.
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
        code: str | None = None,
        cause: Cause | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.http_status = http_status
        self.retry_after = retry_after
        self.content_started = content_started
        self.usage = usage
        self.code = code
        self.cause = cause

    @property
    def key_refused(self) -> bool:
        """Whether it was the key that was not accepted, whatever is asked with it."""
        if self.code in {KEY_REFUSED, EMPTY_ACCOUNT} or self.http_status == HTTPStatus.UNAUTHORIZED:
            return True
        return self.http_status == HTTPStatus.FORBIDDEN and self.code not in _ABOUT_THE_REQUEST


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
    except (ValueError, OverflowError):
        return None  # neither form of the header: as if it were absent
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and number < float("inf") else None
