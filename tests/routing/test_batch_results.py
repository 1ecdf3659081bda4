"""What is made of the answers that batches bring, line by line."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from aico.core.chat import Completion, FinishReason, ToolCall
from aico.routing.providers.batches.anthropic_batches import AnthropicBatches
from aico.routing.providers.batches.gemini_batches import GeminiBatches
from aico.routing.providers.batches.lines import split_lines
from aico.routing.providers.batches.openai_batches import OpenAIBatches
from aico.routing.providers.batches.wire import BatchWire, LaneResult, LineFailure
from aico.routing.providers.failures import FailureKind
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import MAX_ANSWER_BYTES
from aico.routing.providers.wire import WireError

SECRET = SecretStr("house-credential-1234")
OPENAI = OpenAIBatches(PROFILE_BY_NAME["openai"], SECRET)
ANTHROPIC = AnthropicBatches(PROFILE_BY_NAME["anthropic"], SECRET)
GEMINI = GeminiBatches(PROFILE_BY_NAME["google"], SECRET)
WIRES: tuple[BatchWire, ...] = (OPENAI, ANTHROPIC, GEMINI)


def results(wire: BatchWire, *lines: object) -> list[LaneResult]:
    return list(wire.parse_results(json.dumps(line).encode() + b"\n" for line in lines))


def test_openai_results() -> None:
    body = {
        "model": "m-2026",
        "choices": [{"message": {"content": "Fine."}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}},
        "service_tier": "batch",
    }
    too_long = {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
    busy = {"error": {"message": "busy", "type": "server_error", "code": None}}
    odd = {"error": {"message": "odd", "param": float("nan")}}
    found = results(
        OPENAI,
        {"id": "r", "custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None},
        {"id": "r", "custom_id": "b", "response": {"status_code": 400, "body": too_long}, "error": None},
        {"id": "r", "custom_id": "c", "response": {"status_code": 500, "body": busy}, "error": None},
        {"id": "r", "custom_id": "d", "response": None, "error": {"code": "batch_expired", "message": "too late"}},
        {"id": "r", "custom_id": "e", "response": {"status_code": 200, "body": {"choices": []}}, "error": None},
        {"id": "r", "custom_id": "f", "response": {"status_code": 422, "body": odd}, "error": None},
        {"id": "r", "custom_id": "g", "response": None, "error": {"code": 504, "message": "slow"}},
    )
    answer = found[0].outcome
    assert isinstance(answer, Completion)
    assert (answer.text, answer.finish_reason, answer.model) == ("Fine.", FinishReason.LENGTH, "m-2026")
    assert (answer.usage.batch, answer.usage.tier, answer.usage.cache_read) == (True, "standard", 2)
    assert [(result.custom_id, result.outcome) for result in found[1:]] == [
        ("b", LineFailure(FailureKind.FATAL, "HTTP 400: context_length_exceeded: too long")),
        ("c", LineFailure(FailureKind.RETRYABLE, "HTTP 500: server_error: busy")),
        ("d", LineFailure(FailureKind.RETRYABLE, "batch_expired: too late")),
        ("e", LineFailure(FailureKind.RETRYABLE, "unreadable answer: choices: missing")),
        ("f", LineFailure(FailureKind.FATAL, "HTTP 422: odd")),
        ("g", LineFailure(FailureKind.RETRYABLE, "504: slow")),
    ]


def test_anthropic_results() -> None:
    message = {
        "model": "m-2026",
        "content": [{"type": "text", "text": "Fine."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 2, "output_tokens": 4, "service_tier": "batch"},
    }
    refused = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too high"}}
    found = results(
        ANTHROPIC,
        {"custom_id": "a", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "b", "result": {"type": "errored", "error": refused}},
        {"custom_id": "c", "result": {"type": "errored", "error": {"type": "api_error", "message": "oh"}}},
        {"custom_id": "d", "result": {"type": "expired"}},
        {"custom_id": "e", "result": {"type": "canceled"}},
    )
    answer = found[0].outcome
    assert isinstance(answer, Completion)
    assert (answer.text, answer.usage.batch, answer.usage.tier, answer.usage.total) == ("Fine.", True, "standard", 15)
    assert [result.outcome for result in found[1:]] == [
        LineFailure(FailureKind.FATAL, "invalid_request_error: max_tokens: too high"),
        LineFailure(FailureKind.RETRYABLE, "api_error: oh"),
        LineFailure(FailureKind.RETRYABLE, "expired: not answered in the batch"),
        LineFailure(FailureKind.RETRYABLE, "canceled: not answered in the batch"),
    ]


@pytest.mark.parametrize("where", ["response", "metadata"])
def test_gemini_results(where: str) -> None:
    answer = {
        "candidates": [{"content": {"parts": [{"text": "Fine."}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4},
        "modelVersion": "m-2026",
    }
    output = {
        "inlinedResponses": {
            "inlinedResponses": [
                {"metadata": {"key": "a"}, "response": answer},
                {"metadata": {"key": "b"}, "error": {"code": 3, "message": "no such field"}},
                {"metadata": {"key": "c"}, "error": {"code": 8, "message": "exhausted"}},
            ]
        }
    }
    found = results(GEMINI, {"name": "batches/abc", where: output if where == "response" else {"output": output}})
    completion = found[0].outcome
    assert isinstance(completion, Completion)
    assert (completion.text, completion.usage.batch, completion.usage.total) == ("Fine.", True, 13)
    assert [(result.custom_id, result.outcome) for result in found[1:]] == [
        ("b", LineFailure(FailureKind.FATAL, "no such field")),
        ("c", LineFailure(FailureKind.RETRYABLE, "exhausted")),
    ]


def test_lines_may_ask_for_calls_and_have_several_choices() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    choices = [
        {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"},
        {"message": {"content": "Noon."}, "finish_reason": "stop"},
    ]
    use = {"type": "tool_use", "id": "call_1", "name": "clock", "input": {}}
    spoken = {"content": {"parts": [{"functionCall": {"id": "call_1", "name": "clock"}}]}, "finishReason": "STOP"}
    outcomes = [
        results(OPENAI, {"custom_id": "a", "response": {"status_code": 200, "body": {"choices": choices}}}),
        results(
            ANTHROPIC,
            {
                "custom_id": "a",
                "result": {"type": "succeeded", "message": {"content": [use], "stop_reason": "tool_use"}},
            },
        ),
        results(
            GEMINI,
            {
                "name": "batches/abc",
                "response": {
                    "inlinedResponses": {
                        "inlinedResponses": [{"metadata": {"key": "a"}, "response": {"candidates": [spoken]}}]
                    }
                },
            },
        ),
    ]
    for (result,) in outcomes:
        assert isinstance(result.outcome, Completion)
        assert result.outcome.tool_calls == (ToolCall(id="call_1", name="clock", arguments="{}"),)
        assert (result.outcome.finish_reason, result.outcome.usage.batch) == (FinishReason.TOOL_CALLS, True)
    first = outcomes[0][0].outcome
    assert isinstance(first, Completion)
    assert [choice.text for choice in first.more] == ["Noon."]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("line", [b"nope", b"[]", b"{}", b'{"custom_id":1}', b"\xff"])
def test_unreadable_results(wire: BatchWire, line: bytes) -> None:
    with pytest.raises(WireError):
        list(wire.parse_results([line]))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_however_the_pieces_fall(size: int) -> None:
    text = b"one\n\n  \ntwo two\r\nthree"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert [line.strip() for line in split_lines(pieces)] == [b"one", b"two two", b"three"]


def test_a_line_without_end_is_not_collected() -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1_000_000
            yield b"x" * 1_000_000

    with pytest.raises(WireError, match="a line of the results exceeds"):
        list(split_lines(endless()))
    assert taken < 2 * MAX_ANSWER_BYTES
