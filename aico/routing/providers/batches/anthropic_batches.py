"""Anthropic's message batches: requests go up in one object, results come down as lines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import SecretStr

from aico.core.chat import Completion
from aico.routing.models import Model
from aico.routing.providers.anthropic_messages import AnthropicMessages
from aico.routing.providers.batches.lines import check_batch, check_size, line_body, read_answer, split_lines
from aico.routing.providers.batches.wire import (
    MEGABYTE,
    BatchLimits,
    LaneCounts,
    LaneLine,
    LaneResult,
    LaneState,
    LaneStatus,
    LineFailure,
    RemoteName,
    Steps,
)
from aico.routing.providers.failures import UNREADABLE, FailureKind, failure_kind
from aico.routing.providers.payload import Payload
from aico.routing.providers.profiles import Profile
from aico.routing.providers.wire import (
    HttpRequest,
    WireError,
    auth_headers,
    encode_body,
    read_payload,
    safe_message,
)

_MESSAGES = AnthropicMessages()


class _Counts(Payload):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _Batch(Payload):
    id: RemoteName
    processing_status: str
    request_counts: _Counts = _Counts()
    cancel_initiated_at: str | None = None
    results_url: str | None = None


class _Error(Payload):
    type: str | None = None
    message: str | None = None
    error: "_Error | None" = None  # the whole error body of a direct call stands where its inner part may too


class _Result(Payload):
    type: str
    message: Any = None
    error: _Error | None = None


class _Line(Payload):
    custom_id: str
    result: _Result


class AnthropicBatches:
    """Has no place for our key: a batch whose creation was not answered cannot be found again."""

    limits = BatchLimits(
        100_000, request_bytes=256 * MEGABYTE, status_bytes=8 * MEGABYTE, results_bytes=1000 * MEGABYTE
    )
    finds_by_key = False

    def __init__(self, profile: Profile, api_key: SecretStr | None) -> None:
        self._profile = profile
        self._headers = auth_headers(profile, api_key)
        self._url = f"{profile.base_url}/messages/batches"

    def create(self, key: str, model: Model, lines: Sequence[LaneLine]) -> Steps[str]:
        check_batch(key, lines, self.limits)
        requests = [
            {"custom_id": line.custom_id, "params": line_body(_MESSAGES, self._profile, model, line)} for line in lines
        ]
        body = check_size(encode_body({"requests": requests}), self.limits)
        return read_payload(_Batch, (yield HttpRequest("POST", self._url, self._headers, body))).id

    def find(self, key: str) -> Steps[str | None]:
        del key
        yield from ()  # nothing to ask
        return None

    def poll(self, remote_id: str) -> Steps[LaneState]:
        batch = read_payload(_Batch, (yield HttpRequest("GET", self._batch_url(remote_id), self._headers, b"")))
        counts = batch.request_counts
        failed = counts.errored + counts.canceled + counts.expired
        return LaneState(
            remote_id=batch.id,
            status=_status(batch),
            counts=LaneCounts(counts.processing + counts.succeeded + failed, counts.succeeded, failed),
            sources=(batch.results_url,) if batch.results_url is not None else (),
        )

    def cancel(self, remote_id: str) -> Steps[None]:
        yield HttpRequest("POST", f"{self._batch_url(remote_id)}/cancel", self._headers, b"")

    def results_request(self, source: str) -> HttpRequest:
        """The results lie at an address that the answer names: the key goes to our provider's server only."""
        if _origin(source) != _origin(self._url):
            raise WireError("the results lie on another server than the batch", code="invalid_request_error")
        return HttpRequest("GET", source, self._headers, b"")

    def parse_results(self, chunks: Iterable[bytes]) -> Iterator[LaneResult]:
        for raw in split_lines(chunks):
            line = read_payload(_Line, raw)
            yield LaneResult(line.custom_id, _outcome(line.result))

    def parse_error(self, status: int, body: bytes) -> WireError:
        return _MESSAGES.parse_error(status, body)

    def _batch_url(self, remote_id: str) -> str:
        return f"{self._url}/{quote(remote_id, safe='')}"


def _status(batch: _Batch) -> LaneStatus:
    if batch.processing_status != "ended":
        return LaneStatus.RUNNING
    return LaneStatus.ENDED if batch.cancel_initiated_at is None else LaneStatus.CANCELLED


def _outcome(result: _Result) -> Completion | LineFailure:
    if result.type == "succeeded":
        return read_answer(_MESSAGES, result.message)
    if result.type != "errored":  # canceled or expired
        return LineFailure(FailureKind.RETRYABLE, safe_message(None, result.type, "not answered in the batch"))
    outer = result.error or _Error()
    error = outer.error or outer
    return LineFailure(failure_kind(None, error.type), safe_message(None, error.type, error.message))


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise WireError("unreadable answer: results_url: not an address", code=UNREADABLE) from error
    return parsed.scheme, parsed.host, parsed.port
