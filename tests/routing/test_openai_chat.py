import json
from collections.abc import Callable

import genai_prices
import pytest
from genai_prices import data_snapshot
from pydantic import SecretStr

from aico.core.chat import ChatRequest, FinishReason
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.providers.openai_chat import OpenAIChat
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import StreamPart, WireError

WIRE = OpenAIChat()

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1780000000,
    "model": "gpt-5.4-mini-2026-03-17",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Fine.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 1200,
        "completion_tokens": 300,
        "total_tokens": 1500,
        "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 100, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 256, "audio_tokens": 0},
    },
}


def test_request_carries_every_parameter(conversation: ChatRequest, make_model: Callable[..., Model]) -> None:
    call = WIRE.build_request(
        PROFILE_BY_NAME["openai"], SecretStr("sk-secret"), make_model("gpt-5.4"), conversation, stream=True
    )
    assert (call.method, call.url) == ("POST", "https://api.openai.com/v1/chat/completions")
    assert call.headers["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in repr(call)
    assert json.loads(call.body) == {
        "model": "gpt-5.4",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "How are you?"},
        ],
        "max_completion_tokens": 50,
        "temperature": 1.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 7,
        "response_format": {"type": "json_object"},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_request_follows_profile_and_model(conversation: ChatRequest, make_model: Callable[..., Model]) -> None:
    model = make_model("m", capabilities=frozenset(), max_output=20)
    call = WIRE.build_request(PROFILE_BY_NAME["openrouter"], None, model, conversation, stream=False)
    body = json.loads(call.body)
    assert "Authorization" not in call.headers
    assert body["max_tokens"] == 20
    assert not {"temperature", "top_p", "stream", "max_completion_tokens"} & body.keys()


def test_answer_and_usage() -> None:
    completion = WIRE.parse_response(json.dumps(ANSWER).encode())
    assert (completion.text, completion.finish_reason) == ("Fine.", FinishReason.STOP)
    assert completion.model == "gpt-5.4-mini-2026-03-17"
    usage = completion.usage
    assert usage == Usage(
        input_uncached=76, cache_read=1024, cache_write=100, output=300, reasoning=256, tier="standard", raw=usage.raw
    )
    assert usage.raw is not None
    assert usage.raw["prompt_tokens"] == 1200


def test_usage_agrees_with_genai_prices() -> None:
    provider = data_snapshot.get_snapshot().find_provider(None, "openai", None)
    _, theirs = provider.extract_usage(ANSWER, api_flavor="chat")
    ours = WIRE.parse_response(json.dumps(ANSWER).encode()).usage
    assert isinstance(theirs, genai_prices.Usage)
    assert (theirs.input_tokens, theirs.cache_read_tokens, theirs.output_tokens) == (
        ours.input_total,
        ours.cache_read,
        ours.output,
    )


def test_impossible_details_never_make_negative_usage() -> None:
    usage = WIRE.normalise_usage(
        {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 9, "cache_write_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 9},
        }
    )
    assert (usage.input_uncached, usage.cache_read, usage.cache_write, usage.reasoning) == (0, 5, 0, 2)


@pytest.mark.parametrize(
    ("reason", "refusal", "finish"),
    [
        ("length", None, FinishReason.LENGTH),
        ("content_filter", None, FinishReason.CONTENT_FILTER),
        ("tool_calls", None, FinishReason.TOOL_CALLS),
        ("eos", None, FinishReason.STOP),
        ("stop", "I cannot help with that.", FinishReason.CONTENT_FILTER),
    ],
)
def test_finish_reasons(reason: str, refusal: str | None, finish: FinishReason) -> None:
    choice = {"message": {"content": None, "refusal": refusal}, "finish_reason": reason}
    completion = WIRE.parse_response(json.dumps({"model": "m", "choices": [choice]}).encode())
    assert completion.finish_reason is finish
    assert completion.text == (refusal or "")


def test_stream_events() -> None:
    first = WIRE.parse_event('{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}')
    piece = WIRE.parse_event('{"model":"m","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}')
    last = WIRE.parse_event('{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}')
    usage = WIRE.parse_event('{"model":"m","service_tier":"flex","choices":[],"usage":{"prompt_tokens":3}}')
    assert (first.delta, piece.delta, piece.finish) == ("", "Hel", None)
    assert last.finish is FinishReason.STOP
    assert usage.usage == {"prompt_tokens": 3, "service_tier": "flex"}
    assert WIRE.normalise_usage(usage.usage or {}).tier == "flex"
    assert WIRE.parse_event("[DONE]") == StreamPart()


@pytest.mark.parametrize(
    "data",
    [
        "not json",
        '{"choices": 3}',
        '{"error":{"message":"overloaded","code":502}}',
        '{"choices":[{"finish_reason":"error"}]}',
    ],
)
def test_unreadable_events(data: str) -> None:
    with pytest.raises(WireError):
        WIRE.parse_event(data)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"choices":[]}', b"\xff\xfe", b'{"choices":[{"message":{"content":1}}]}']
)
def test_unreadable_answers_are_not_quoted(body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        WIRE.parse_response(body)
    assert caught.value.code == "unreadable"
    assert "html" not in caught.value.message


def test_error_inside_a_successful_answer() -> None:
    with pytest.raises(WireError) as caught:
        WIRE.parse_response(b'{"error":{"message":"Upstream failed","code":503}}')
    assert (caught.value.status, caught.value.message) == (503, "HTTP 503: Upstream failed")


@pytest.mark.parametrize(
    ("status", "body", "message", "code"),
    [
        (
            401,
            b'{"error":{"message":"Incorrect API key provided: sk-proj-abcdefgh12345.","code":"invalid_api_key"}}',
            "HTTP 401: invalid_api_key: Incorrect API key provided: [redacted]",
            "invalid_api_key",
        ),
        (429, b'{"error":{"message":"Slow\\ndown","type":"tokens"}}', "HTTP 429: tokens: Slow down", "tokens"),
        (400, b'{"error":"no such model"}', "HTTP 400: no such model", None),
        (502, b"<html>Bad gateway</html>", "HTTP 502", None),
    ],
)
def test_errors_are_short_and_safe(status: int, body: bytes, message: str, code: str | None) -> None:
    error = WIRE.parse_error(status, body)
    assert (error.message, error.code, error.status) == (message, code, status)


def test_long_errors_are_cut() -> None:
    assert len(WIRE.parse_error(400, json.dumps({"error": {"message": "x" * 5000}}).encode()).message) < 250
