"""What is sent to each provider, byte by byte, and how the state of a batch is read."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from aico.core.chat import ChatRequest
from aico.core.errors import PayloadTooLarge
from aico.routing.models import Model
from aico.routing.providers.batches.anthropic_batches import AnthropicBatches
from aico.routing.providers.batches.gemini_batches import GeminiBatches
from aico.routing.providers.batches.openai_batches import OpenAIBatches
from aico.routing.providers.batches.wire import (
    BatchWire,
    LaneLine,
    LaneState,
    LaneStatus,
    Steps,
    T,
)
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import HttpRequest, WireError

SECRET = SecretStr("house-credential-1234")
OPENAI = OpenAIBatches(PROFILE_BY_NAME["openai"], SECRET)
ANTHROPIC = AnthropicBatches(PROFILE_BY_NAME["anthropic"], SECRET)
GEMINI = GeminiBatches(PROFILE_BY_NAME["google"], SECRET)
WIRES: tuple[BatchWire, ...] = (OPENAI, ANTHROPIC, GEMINI)


def play(steps: Steps[T], *answers: object) -> tuple[list[HttpRequest], T]:
    """The requests of a conversation in which the provider gives those answers, and what comes of it."""
    sent = [next(steps)]
    for answer in answers:
        try:
            sent.append(steps.send(answer if isinstance(answer, bytes) else json.dumps(answer).encode()))
        except StopIteration as end:
            return sent, end.value
    raise AssertionError(f"asks for more: {sent[-1]}")


@pytest.fixture
def lines(conversation: ChatRequest) -> list[LaneLine]:
    return [LaneLine("line-1", conversation)]


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model("m", provider_model="m-large")


def test_openai_create(lines: list[LaneLine], model: Model) -> None:
    (upload, order), remote = play(
        OPENAI.create("our-key", model, lines),
        {"id": "file-abc", "object": "file"},
        {"id": "batch_abc", "status": "validating"},
    )
    assert remote == "batch_abc"
    assert (upload.method, upload.url) == ("POST", "https://api.openai.com/v1/files")
    assert upload.headers["Authorization"] == "Bearer house-credential-1234"
    boundary = upload.headers["Content-Type"].removeprefix("multipart/form-data; boundary=")
    line = (
        b'{"custom_id":"line-1","method":"POST","url":"/v1/chat/completions","body":{"model":"m-large","messages":'
        b'[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello"},'
        b'{"role":"assistant","content":"Hi."},{"role":"user","content":"How are you?"}],'
        b'"max_completion_tokens":50,"temperature":1.5,"top_p":0.9,"stop":["END"],"seed":7,'
        b'"response_format":{"type":"json_object"}}}\n'
    )
    assert (
        upload.body
        == (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="our-key.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        + line
        + f"\r\n--{boundary}--\r\n".encode()
    )
    assert (order.method, order.url) == ("POST", "https://api.openai.com/v1/batches")
    assert order.body == (
        b'{"completion_window":"24h","endpoint":"/v1/chat/completions",'
        b'"input_file_id":"file-abc","metadata":{"aico_batch":"our-key"}}'
    )


def test_anthropic_create(lines: list[LaneLine], model: Model) -> None:
    (order,), remote = play(
        ANTHROPIC.create("our-key", model, lines), {"id": "msgbatch_abc", "processing_status": "in_progress"}
    )
    assert remote == "msgbatch_abc"
    assert (order.method, order.url) == ("POST", "https://api.anthropic.com/v1/messages/batches")
    assert (order.headers["x-api-key"], order.headers["anthropic-version"]) == ("house-credential-1234", "2023-06-01")
    assert order.body == (
        b'{"requests":[{"custom_id":"line-1","params":{"model":"m-large","system":"Be brief.","messages":'
        b'[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi."},'
        b'{"role":"user","content":"How are you?"}],"max_tokens":50,"stop_sequences":["END"],"temperature":1.0}}]}'
    )


def test_gemini_create(lines: list[LaneLine], model: Model) -> None:
    (order,), remote = play(GEMINI.create("our-key", model, lines), {"name": "batches/abc", "metadata": {}})
    assert remote == "batches/abc"
    assert order.url == "https://generativelanguage.googleapis.com/v1beta/models/m-large:batchGenerateContent"
    assert order.headers["x-goog-api-key"] == "house-credential-1234"
    assert order.body == (
        b'{"batch":{"displayName":"our-key","inputConfig":{"requests":{"requests":[{"request":{"contents":'
        b'[{"role":"user","parts":[{"text":"Hello"}]},{"role":"model","parts":[{"text":"Hi."}]},'
        b'{"role":"user","parts":[{"text":"How are you?"}]}],'
        b'"systemInstruction":{"parts":[{"text":"Be brief."}]},'
        b'"generationConfig":{"maxOutputTokens":50,"temperature":1.5,"topP":0.9,"stopSequences":["END"],"seed":7,'
        b'"responseMimeType":"application/json"}},"metadata":{"key":"line-1"}}]}}}}'
    )


def test_a_line_is_what_a_direct_call_would_be_but_for_the_tier(tool_talk: ChatRequest, model: Model) -> None:
    request = tool_talk.model_copy(update={"hints": {"prompt_cache_key": "k", "service_tier": "flex"}})
    (upload, _), _ = play(
        OPENAI.create("our-key", model, [LaneLine("line-1", request)]),
        {"id": "file-abc"},
        {"id": "batch_abc", "status": "validating"},
    )
    line = next(part for part in upload.body.splitlines() if part.startswith(b"{"))
    body = json.loads(line)["body"]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert (body["n"], body["prompt_cache_key"]) == (2, "k")
    assert "service_tier" not in body


@pytest.mark.parametrize("wire", WIRES)
def test_a_batch_that_nobody_would_take_is_not_sent(
    wire: BatchWire, lines: list[LaneLine], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="lines"):
        next(wire.create("our-key", model, []))
    with pytest.raises(ValueError, match="id of its own"):
        next(wire.create("our-key", model, lines * 2))
    with pytest.raises(ValueError, match="our key"):
        next(wire.create("our key", model, lines))
    with pytest.raises(ValueError, match="64"):
        LaneLine("x" * 65, lines[0].request)
    monkeypatch.setattr(type(wire), "limits", replace(wire.limits, lines=0))
    with pytest.raises(PayloadTooLarge, match="1 lines exceeds the 0"):
        next(wire.create("our-key", model, lines))
    monkeypatch.setattr(type(wire), "limits", replace(wire.limits, lines=1, request_bytes=99))
    with pytest.raises(PayloadTooLarge, match="bytes exceeds the 99"):
        next(wire.create("our-key", model, lines))


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("validating", LaneStatus.RUNNING),
        ("in_progress", LaneStatus.RUNNING),
        ("finalizing", LaneStatus.RUNNING),
        ("cancelling", LaneStatus.RUNNING),
        ("completed", LaneStatus.ENDED),
        ("failed", LaneStatus.FAILED),
        ("expired", LaneStatus.EXPIRED),
        ("cancelled", LaneStatus.CANCELLED),
    ],
)
def test_openai_states(status: str, meant: LaneStatus) -> None:
    (asked,), state = play(OPENAI.poll("batch_abc"), {"id": "batch_abc", "status": status, "request_counts": None})
    assert asked.url == "https://api.openai.com/v1/batches/batch_abc"
    assert state == LaneState("batch_abc", meant)
    assert state.final is (meant is not LaneStatus.RUNNING)


def test_openai_counts_faults_and_files() -> None:
    _, state = play(
        OPENAI.poll("batch_abc"),
        {
            "id": "batch_abc",
            "status": "failed",
            "errors": {"object": "list", "data": [{"code": "bad_line", "message": "line 3 is\nno JSON", "line": 3}]},
            "output_file_id": "file-out",
            "error_file_id": "file-err",
            "request_counts": {"total": 5, "completed": 3, "failed": 2},
        },
    )
    assert state.counts is not None
    assert (state.counts.total, state.counts.succeeded, state.counts.failed) == (5, 3, 2)
    assert (state.message, state.sources) == ("bad_line: line 3 is no JSON", ("file-out", "file-err"))
    assert OPENAI.results_request("file-out").url == "https://api.openai.com/v1/files/file-out/content"


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        ({"processing_status": "in_progress"}, LaneStatus.RUNNING),
        ({"processing_status": "canceling", "cancel_initiated_at": "2026-11-20T12:00:00Z"}, LaneStatus.RUNNING),
        ({"processing_status": "ended"}, LaneStatus.ENDED),
        ({"processing_status": "ended", "cancel_initiated_at": "2026-11-20T12:00:00Z"}, LaneStatus.CANCELLED),
    ],
)
def test_anthropic_states(changes: dict[str, Any], meant: LaneStatus) -> None:
    counts = {"processing": 1, "succeeded": 2, "errored": 3, "canceled": 4, "expired": 5}
    url = "https://api.anthropic.com/v1/messages/batches/msgbatch_abc/results"
    _, state = play(
        ANTHROPIC.poll("msgbatch_abc"),
        {"id": "msgbatch_abc", "request_counts": counts, "results_url": url, **changes},
    )
    assert (state.status, state.sources) == (meant, (url,))
    assert state.counts is not None
    assert (state.counts.total, state.counts.succeeded, state.counts.failed) == (15, 2, 12)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/v1/messages/batches/x/results",
        "http://api.anthropic.com/v1/messages/batches/x/results",
        "https://api.anthropic.com:8443/v1/messages/batches/x/results",
        "https://api.anthropic.com@elsewhere.example/results",
        "https://api.anthropic.com:port/x",
        "/v1/messages/batches/x/results",
    ],
)
def test_anthropic_results_elsewhere_are_not_asked_for(url: str) -> None:
    with pytest.raises(WireError):
        ANTHROPIC.results_request(url)


@pytest.mark.parametrize("prefix", ["BATCH_STATE_", "JOB_STATE_"])
@pytest.mark.parametrize(
    ("state", "meant"),
    [
        ("PENDING", LaneStatus.RUNNING),
        ("RUNNING", LaneStatus.RUNNING),
        ("CANCELLING", LaneStatus.RUNNING),
        ("SUCCEEDED", LaneStatus.ENDED),
        ("PARTIALLY_SUCCEEDED", LaneStatus.ENDED),
        ("FAILED", LaneStatus.FAILED),
        ("CANCELLED", LaneStatus.CANCELLED),
        ("EXPIRED", LaneStatus.EXPIRED),
    ],
)
def test_gemini_states(prefix: str, state: str, meant: LaneStatus) -> None:
    stats = {"requestCount": "3", "successfulRequestCount": "2", "failedRequestCount": "1"}
    (asked,), seen = play(
        GEMINI.poll("batches/abc"),
        {"name": "batches/abc", "metadata": {"state": prefix + state, "batchStats": stats}},
    )
    assert asked.url == "https://generativelanguage.googleapis.com/v1beta/batches/abc"
    assert seen.status is meant
    assert seen.counts is not None
    assert (seen.counts.total, seen.counts.succeeded, seen.counts.failed) == (3, 2, 1)


def test_gemini_errors_of_the_whole() -> None:
    error = {"code": 1, "message": "stopped"}
    for state, meant in (("CANCELLED", LaneStatus.CANCELLED), ("", LaneStatus.FAILED)):
        _, seen = play(
            GEMINI.poll("batches/abc"), {"name": "batches/abc", "metadata": {"state": state}, "error": error}
        )
        assert (seen.status, seen.message) == (meant, "stopped")


def test_addresses_are_made_of_proper_names_only() -> None:
    for answer in ({"id": "../files", "status": "completed"}, {"id": "a/b", "status": "completed"}):
        with pytest.raises(WireError):
            play(OPENAI.poll("batch_abc"), answer)
    assert next(OPENAI.poll("a/../b")).url == "https://api.openai.com/v1/batches/a%2F..%2Fb"
