import json
from collections.abc import Callable

import pytest
from genai_prices import data_snapshot
from pydantic import SecretStr

from aico.core.chat import ChatRequest, FinishReason, Message, Role
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.providers.gemini_generate import GeminiGenerate
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import WireError

WIRE = GeminiGenerate()
PROFILE = PROFILE_BY_NAME["google"]
ROOT = "https://generativelanguage.googleapis.com/v1beta/models"

ANSWER = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [{"text": "Let me think.", "thought": True}, {"text": "Fine"}, {"text": "."}],
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 600,
        "candidatesTokenCount": 40,
        "thoughtsTokenCount": 160,
        "totalTokenCount": 1200,
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r1",
}


def test_request(conversation: ChatRequest, make_model: Callable[..., Model]) -> None:
    call = WIRE.build_request(PROFILE, SecretStr("AIza-secret"), make_model("gemini-x"), conversation, stream=False)
    assert call.url == f"{ROOT}/gemini-x:generateContent"
    assert call.headers["x-goog-api-key"] == "AIza-secret"
    assert json.loads(call.body) == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hello"}]},
            {"role": "model", "parts": [{"text": "Hi."}]},
            {"role": "user", "parts": [{"text": "How are you?"}]},
        ],
        "generationConfig": {
            "maxOutputTokens": 50,
            "temperature": 1.5,
            "topP": 0.9,
            "stopSequences": ["END"],
            "seed": 7,
            "responseMimeType": "application/json",
        },
    }


def test_stream_request_needs_nothing_optional(make_model: Callable[..., Model]) -> None:
    request = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),))
    call = WIRE.build_request(PROFILE, None, make_model("gemini-x"), request, stream=True)
    assert call.url == f"{ROOT}/gemini-x:streamGenerateContent?alt=sse"
    assert json.loads(call.body) == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


def test_answer_and_usage() -> None:
    completion = WIRE.parse_response(json.dumps(ANSWER).encode())
    assert (completion.text, completion.finish_reason) == ("Fine.", FinishReason.STOP)
    usage = completion.usage
    assert usage == Usage(input_uncached=400, cache_read=600, output=200, reasoning=160, raw=usage.raw)


def test_usage_agrees_with_genai_prices() -> None:
    provider = data_snapshot.get_snapshot().find_provider(None, "google", None)
    _, theirs = provider.extract_usage(ANSWER)
    ours = WIRE.parse_response(json.dumps(ANSWER).encode()).usage
    assert (theirs.input_tokens, theirs.cache_read_tokens, theirs.output_tokens) == (
        ours.input_total,
        ours.cache_read,
        ours.output,
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("SAFETY", FinishReason.CONTENT_FILTER),
        ("RECITATION", FinishReason.CONTENT_FILTER),
        ("MALFORMED_FUNCTION_CALL", FinishReason.TOOL_CALLS),
    ],
)
def test_finish_reasons(reason: str, finish: FinishReason) -> None:
    completion = WIRE.parse_response(json.dumps({"candidates": [{"finishReason": reason}]}).encode())
    assert (completion.text, completion.finish_reason) == ("", finish)


def test_blocked_prompt_is_a_withheld_answer() -> None:
    completion = WIRE.parse_response(b'{"promptFeedback":{"blockReason":"SAFETY"}}')
    assert completion.finish_reason is FinishReason.CONTENT_FILTER


def test_stream_events() -> None:
    piece = WIRE.parse_event(
        '{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"}}],"usageMetadata":{"promptTokenCount":4}}'
    )
    end = WIRE.parse_event(
        '{"candidates":[{"content":{"parts":[{"text":"lo"}]},"finishReason":"STOP"}],"usageMetadata":'
        '{"promptTokenCount":4,"candidatesTokenCount":2},"modelVersion":"gemini-x"}'
    )
    assert (piece.delta, piece.finish, piece.usage) == ("Hel", None, {"promptTokenCount": 4})
    assert (end.delta, end.finish, end.model) == ("lo", FinishReason.STOP, "gemini-x")


@pytest.mark.parametrize("body", [b"", b"nope", b"{}", b'{"candidates":[{"content":{"parts":"x"}}]}'])
def test_unreadable_answers(body: bytes) -> None:
    with pytest.raises(WireError):
        WIRE.parse_response(body)


def test_errors() -> None:
    body = b'{"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}}'
    assert WIRE.parse_error(429, body).message == "HTTP 429: RESOURCE_EXHAUSTED: Resource exhausted"
    with pytest.raises(WireError) as caught:
        WIRE.parse_event(body.decode())
    assert caught.value.status == 429
