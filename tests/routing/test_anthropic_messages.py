import json
from collections.abc import Callable

import pytest
from genai_prices import data_snapshot
from pydantic import SecretStr

from aico.core.chat import ChatRequest, FinishReason, Message, Role
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.providers.anthropic_messages import AnthropicMessages
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import StreamPart, WireError

WIRE = AnthropicMessages()
PROFILE = PROFILE_BY_NAME["anthropic"]

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [
        {"type": "thinking", "thinking": "hmm", "signature": "abc"},
        {"type": "text", "text": "Fine"},
        {"type": "text", "text": ", thanks."},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 20,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 4000,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 50,
        "service_tier": "standard",
    },
}


def test_request(conversation: ChatRequest, make_model: Callable[..., Model]) -> None:
    call = WIRE.build_request(PROFILE, SecretStr("sk-ant-secret"), make_model("claude"), conversation, stream=True)
    assert call.url == "https://api.anthropic.com/v1/messages"
    assert call.headers["x-api-key"] == "sk-ant-secret"
    assert call.headers["anthropic-version"] == "2023-06-01"
    assert json.loads(call.body) == {
        "model": "claude",
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "How are you?"},
        ],
        "max_tokens": 50,
        "temperature": 1.0,
        "stop_sequences": ["END"],
        "stream": True,
    }


@pytest.mark.parametrize(("max_output", "sent"), [(64_000, 4096), (1_000, 1_000)])
def test_required_max_tokens_has_a_default(max_output: int, sent: int, make_model: Callable[..., Model]) -> None:
    request = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),), top_p=0.5)
    call = WIRE.build_request(PROFILE, None, make_model(max_output=max_output), request, stream=False)
    body = json.loads(call.body)
    assert body["max_tokens"] == sent
    assert body["top_p"] == 0.5
    assert "system" not in body


def test_sampling_is_left_out_where_refused(conversation: ChatRequest, make_model: Callable[..., Model]) -> None:
    model = make_model(capabilities=frozenset())
    body = json.loads(WIRE.build_request(PROFILE, None, model, conversation, stream=False).body)
    assert not {"temperature", "top_p"} & body.keys()


def test_answer_and_usage() -> None:
    completion = WIRE.parse_response(json.dumps(ANSWER).encode())
    assert (completion.text, completion.finish_reason) == ("Fine, thanks.", FinishReason.STOP)
    usage = completion.usage
    assert usage == Usage(input_uncached=20, cache_read=4000, cache_write=300, output=50, raw=usage.raw)
    assert usage.raw == ANSWER["usage"]


def test_usage_agrees_with_genai_prices() -> None:
    provider = data_snapshot.get_snapshot().find_provider(None, "anthropic", None)
    _, theirs = provider.extract_usage(ANSWER)
    ours = WIRE.parse_response(json.dumps(ANSWER).encode()).usage
    assert (theirs.input_tokens, theirs.cache_read_tokens, theirs.cache_write_tokens, theirs.output_tokens) == (
        ours.input_total,
        ours.cache_read,
        ours.cache_write,
        ours.output,
    )


def test_batch_lane_is_no_service_tier() -> None:
    usage = WIRE.normalise_usage({"input_tokens": 1, "output_tokens": 1, "service_tier": "batch"})
    assert (usage.batch, usage.tier) == (True, "standard")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("refusal", FinishReason.CONTENT_FILTER),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("stop_sequence", FinishReason.STOP),
    ],
)
def test_finish_reasons(reason: str, finish: FinishReason) -> None:
    assert WIRE.parse_response(json.dumps({**ANSWER, "stop_reason": reason}).encode()).finish_reason is finish


def test_stream_events() -> None:
    start = WIRE.parse_event(
        '{"type":"message_start","message":{"id":"msg_1","model":"claude-haiku-4-5","content":[],"usage":'
        '{"input_tokens":25,"cache_read_input_tokens":7,"output_tokens":1}}}'
    )
    piece = WIRE.parse_event('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}')
    thought = WIRE.parse_event(
        '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"x"}}'
    )
    end = WIRE.parse_event('{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":15}}')
    assert (start.model, piece.delta, end.finish) == ("claude-haiku-4-5", "Hel", FinishReason.LENGTH)
    assert thought == StreamPart()
    assert WIRE.parse_event('{"type":"ping"}') == StreamPart()
    usage = WIRE.normalise_usage({**(start.usage or {}), **(end.usage or {})})
    assert (usage.input_uncached, usage.cache_read, usage.output) == (25, 7, 15)


def test_error_event_names_its_type() -> None:
    with pytest.raises(WireError) as caught:
        WIRE.parse_event('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')
    assert (caught.value.code, caught.value.message) == ("overloaded_error", "overloaded_error: Overloaded")


@pytest.mark.parametrize("body", [b"", b"oops", b'{"model":"m"}', b'{"content":[{"type":"text","text":null}]}'])
def test_unreadable_answers(body: bytes) -> None:
    with pytest.raises(WireError):
        WIRE.parse_response(body)


def test_errors() -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"Too many"},"request_id":"req_1"}'
    assert WIRE.parse_error(429, body).message == "HTTP 429: rate_limit_error: Too many"
    assert WIRE.parse_error(529, b"<html>").message == "HTTP 529"
