"""OpenAI's batches of chat completions: a file of lines goes up, one of answers and one of errors come down."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import ConfigDict, SecretStr

from aico.core.canonical import canonical_json
from aico.core.chat import Completion
from aico.routing.models import Model
from aico.routing.providers.batches.lines import (
    check_batch,
    check_size,
    encoded,
    line_body,
    line_failure,
    read_answer,
    split_lines,
)
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
from aico.routing.providers.failures import failure_kind
from aico.routing.providers.openai_chat import OpenAIChat
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

_CHAT = OpenAIChat()
_ENDPOINT = "/v1/chat/completions"  # a name of the operation, whatever address the server has
_KEY = "aico_batch"  # the metadata field that holds our key
_PAGE = 100
_PAGES = 10  # an orphan is minutes old: it is among the newest thousand
_STATUS = {
    "completed": LaneStatus.ENDED,
    "failed": LaneStatus.FAILED,
    "expired": LaneStatus.EXPIRED,
    "cancelled": LaneStatus.CANCELLED,
}


class _File(Payload):
    id: RemoteName


class _Fault(Payload):
    model_config = ConfigDict(coerce_numbers_to_str=True)  # codes are numbers where a server passes a status on

    code: str | None = None
    message: str | None = None


class _Faults(Payload):
    data: tuple[_Fault, ...] | None = None


class _Counts(Payload):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Batch(Payload):
    id: RemoteName
    status: str
    errors: _Faults | None = None
    output_file_id: RemoteName | None = None
    error_file_id: RemoteName | None = None
    request_counts: _Counts | None = None
    metadata: dict[str, str] | None = None


class _Batches(Payload):
    data: tuple[_Batch, ...]
    has_more: bool = False


class _Response(Payload):
    status_code: int
    body: Any = None


class _Line(Payload):
    custom_id: str
    response: _Response | None = None
    error: _Fault | None = None


class OpenAIBatches:
    limits = BatchLimits(50_000, request_bytes=200 * MEGABYTE, status_bytes=8 * MEGABYTE, results_bytes=1000 * MEGABYTE)
    finds_by_key = True

    def __init__(self, profile: Profile, api_key: SecretStr | None) -> None:
        self._profile = profile
        self._headers = auth_headers(profile, api_key)

    def create(self, key: str, model: Model, lines: Sequence[LaneLine]) -> Steps[str]:
        check_batch(key, lines, self.limits)
        uploaded = read_payload(_File, (yield self._upload(key, model, lines)))
        order = {
            "input_file_id": uploaded.id,
            "endpoint": _ENDPOINT,
            "completion_window": "24h",
            "metadata": {_KEY: key},
        }
        return read_payload(_Batch, (yield self._request("POST", "/batches", canonical_json(order)))).id

    def find(self, key: str) -> Steps[str | None]:
        after = ""
        for _ in range(_PAGES):
            page = read_payload(_Batches, (yield self._request("GET", f"/batches?limit={_PAGE}{after}")))
            for batch in page.data:
                if (batch.metadata or {}).get(_KEY) == key:
                    return batch.id
            if not page.has_more or not page.data:
                break
            after = f"&after={page.data[-1].id}"
        return None

    def poll(self, remote_id: str) -> Steps[LaneState]:
        batch = read_payload(_Batch, (yield self._request("GET", f"/batches/{quote(remote_id, safe='')}")))
        counts = batch.request_counts
        faults = batch.errors.data if batch.errors is not None else None
        return LaneState(
            remote_id=batch.id,
            status=_STATUS.get(batch.status, LaneStatus.RUNNING),
            counts=LaneCounts(counts.total, counts.completed, counts.failed) if counts is not None else None,
            message=safe_message(None, faults[0].code, faults[0].message) if faults else None,
            sources=tuple(name for name in (batch.output_file_id, batch.error_file_id) if name is not None),
        )

    def cancel(self, remote_id: str) -> Steps[None]:
        yield self._request("POST", f"/batches/{quote(remote_id, safe='')}/cancel")

    def results_request(self, source: str) -> HttpRequest:
        return self._request("GET", f"/files/{quote(source, safe='')}/content")

    def parse_results(self, chunks: Iterable[bytes]) -> Iterator[LaneResult]:
        for raw in split_lines(chunks):
            line = read_payload(_Line, raw)
            yield LaneResult(line.custom_id, _outcome(line))

    def parse_error(self, status: int, body: bytes) -> WireError:
        return _CHAT.parse_error(status, body)

    def _upload(self, key: str, model: Model, lines: Sequence[LaneLine]) -> HttpRequest:
        content = b"".join(self._line(model, line) + b"\n" for line in lines)
        file = (f"{key}.jsonl", check_size(content, self.limits), "application/jsonl")
        form = httpx2.Request("POST", "", data={"purpose": "batch"}, files={"file": file})  # encodes it; is not sent
        headers = {**self._headers, "Content-Type": form.headers["Content-Type"]}
        return HttpRequest("POST", f"{self._profile.base_url}/files", headers, form.read())

    def _line(self, model: Model, line: LaneLine) -> bytes:
        body = line_body(_CHAT, self._profile, model, line)
        return encode_body({"custom_id": line.custom_id, "method": "POST", "url": _ENDPOINT, "body": body})

    def _request(self, method: str, path: str, body: bytes = b"") -> HttpRequest:
        return HttpRequest(method, f"{self._profile.base_url}{path}", self._headers, body)


def _outcome(line: _Line) -> Completion | LineFailure:
    if line.response is None:
        fault = line.error or _Fault()
        return LineFailure(failure_kind(None, fault.code), safe_message(None, fault.code, fault.message))
    if line.response.status_code >= httpx2.codes.MULTIPLE_CHOICES:
        return line_failure(_CHAT.parse_error(line.response.status_code, encoded(line.response.body)))
    return read_answer(_CHAT, line.response.body)
