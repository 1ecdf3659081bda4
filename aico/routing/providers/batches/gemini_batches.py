"""Google's batchGenerateContent: requests go up inside the batch, and answers come down inside it."""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr

from aico.core.chat import Completion
from aico.routing.models import Model
from aico.routing.providers.batches.lines import check_batch, check_size, line_body, read_answer
from aico.routing.providers.batches.wire import (
    MEGABYTE,
    BatchLimits,
    LaneCounts,
    LaneLine,
    LaneResult,
    LaneState,
    LaneStatus,
    LineFailure,
    Steps,
)
from aico.routing.providers.failures import FailureKind
from aico.routing.providers.gemini_generate import GeminiGenerate
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

_GENERATE = GeminiGenerate()
_COLLECTION = "batches/"
_PAGE = 5  # a listed batch brings all of its answers along
_PAGES = 40
# The API says BATCH_STATE_, its clients JOB_STATE_.
_STATUS = {
    "SUCCEEDED": LaneStatus.ENDED,
    "PARTIALLY_SUCCEEDED": LaneStatus.ENDED,
    "FAILED": LaneStatus.FAILED,
    "CANCELLED": LaneStatus.CANCELLED,
    "EXPIRED": LaneStatus.EXPIRED,
}


class _Rpc(IntEnum):
    """The codes of google.rpc.Code with which a direct call would be refused alike."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    FAILED_PRECONDITION = 9
    UNAUTHENTICATED = 16


class _Status(Payload):
    code: int | None = None
    message: str | None = None


class _LineMetadata(Payload):
    key: str


class _Line(Payload):
    metadata: _LineMetadata
    response: Any = None
    error: _Status | None = None


class _Lines(Payload):
    lines: tuple[_Line, ...] = Field(default=(), alias="inlinedResponses")


class _Output(Payload):
    inlined: _Lines = Field(default=_Lines(), alias="inlinedResponses")


class _Stats(Payload):
    total: int = Field(default=0, alias="requestCount")  # 64-bit integers travel as strings
    succeeded: int = Field(default=0, alias="successfulRequestCount")
    failed: int = Field(default=0, alias="failedRequestCount")


class _Batch(Payload):
    display_name: str | None = Field(default=None, alias="displayName")
    state: str = ""
    stats: _Stats | None = Field(default=None, alias="batchStats")
    output: _Output = _Output()


class _Operation(Payload):
    name: str = Field(max_length=256, pattern=r"^batches/[A-Za-z0-9_-]+$")
    metadata: _Batch = _Batch()
    error: _Status | None = None
    response: _Output = _Output()


class _Operations(Payload):
    operations: tuple[_Operation, ...] = ()
    next_page: str | None = Field(default=None, alias="nextPageToken")


class GeminiBatches:
    # The lines are fewer than Google takes: answers come in one object, which has to be held as a whole.
    limits = BatchLimits(1_000, request_bytes=20 * MEGABYTE, status_bytes=64 * MEGABYTE, results_bytes=64 * MEGABYTE)
    finds_by_key = True

    def __init__(self, profile: Profile, api_key: SecretStr | None) -> None:
        self._profile = profile
        self._headers = auth_headers(profile, api_key)

    def create(self, key: str, model: Model, lines: Sequence[LaneLine]) -> Steps[str]:
        check_batch(key, lines, self.limits)
        requests = [
            {"request": line_body(_GENERATE, self._profile, model, line), "metadata": {"key": line.custom_id}}
            for line in lines
        ]
        batch = {"displayName": key, "inputConfig": {"requests": {"requests": requests}}}
        body = check_size(encode_body({"batch": batch}), self.limits)
        path = f"models/{quote(model.provider_model, safe='')}:batchGenerateContent"
        return read_payload(_Operation, (yield self._request("POST", path, body))).name

    def find(self, key: str) -> Steps[str | None]:
        token = ""
        for _ in range(_PAGES):
            page = read_payload(_Operations, (yield self._request("GET", f"batches?pageSize={_PAGE}{token}")))
            for operation in page.operations:
                if operation.metadata.display_name == key:
                    return operation.name
            if not page.next_page:
                break
            token = f"&pageToken={quote(page.next_page, safe='')}"
        return None

    def poll(self, remote_id: str) -> Steps[LaneState]:
        operation = read_payload(_Operation, (yield self._request("GET", _path(remote_id))))
        stats, error = operation.metadata.stats, operation.error
        status = _status(operation)
        return LaneState(
            remote_id=operation.name,
            status=status,
            counts=LaneCounts(stats.total, stats.succeeded, stats.failed) if stats is not None else None,
            message=safe_message(None, None, error.message) if error is not None else None,
            sources=(operation.name,) if status not in {LaneStatus.RUNNING, LaneStatus.FAILED} else (),
        )

    def cancel(self, remote_id: str) -> Steps[None]:
        yield self._request("POST", f"{_path(remote_id)}:cancel")

    def results_request(self, source: str) -> HttpRequest:
        return self._request("GET", _path(source))

    def parse_results(self, chunks: Iterable[bytes]) -> Iterator[LaneResult]:
        operation = read_payload(_Operation, b"".join(chunks))
        output = operation.response.inlined.lines or operation.metadata.output.inlined.lines
        for line in output:
            yield LaneResult(line.metadata.key, _outcome(line))

    def parse_error(self, status: int, body: bytes) -> WireError:
        return _GENERATE.parse_error(status, body)

    def _request(self, method: str, path: str, body: bytes = b"") -> HttpRequest:
        return HttpRequest(method, f"{self._profile.base_url}/{path}", self._headers, body)


def _path(remote_id: str) -> str:
    return _COLLECTION + quote(remote_id.removeprefix(_COLLECTION), safe="")


def _status(operation: _Operation) -> LaneStatus:
    state = operation.metadata.state.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
    # A cancelled operation carries an error too: the state tells which of them it is.
    return _STATUS.get(state, LaneStatus.RUNNING if operation.error is None else LaneStatus.FAILED)


def _outcome(line: _Line) -> Completion | LineFailure:
    if line.error is None:
        return read_answer(_GENERATE, line.response)
    kind = FailureKind.FATAL if line.error.code in set(_Rpc) else FailureKind.RETRYABLE
    return LineFailure(kind, safe_message(None, None, line.error.message))
