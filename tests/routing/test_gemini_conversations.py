"""Tools, pictures, schemas and choices in Google's generateContent."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from aico.core.chat import ChatRequest, Choice, FinishReason, ImagePart, Message, Role, TextPart, ToolCall, ToolChoice
from aico.routing.models import Capability, Model
from aico.routing.providers.assembly import Assembly
from aico.routing.providers.gemini_generate import GeminiGenerate
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import WireError

WIRE = GeminiGenerate()
UNSIGNED = "skip_thought_signature_validator"


def sent(request: ChatRequest, model: Model) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        WIRE.build_request(PROFILE_BY_NAME["google"], None, model, request, stream=False).body
    )
    return body


def candidate(*parts: dict[str, Any], finish: str | None = "STOP", **rest: Any) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": parts}, "finishReason": finish, **rest}


def test_request_carries_the_whole_conversation(tool_talk: ChatRequest, make_model: Callable[..., Model]) -> None:
    model = make_model("gemini", capabilities=frozenset(Capability))
    assert sent(tool_talk, model) == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Which of these is warmer?"},
                    {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                    {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/b/lima.jpg?size=2"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "Let me look."},
                    {
                        "functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Oslo"}},
                        "thoughtSignature": UNSIGNED,
                    },
                    {
                        "functionCall": {"id": "call_2", "name": "weather", "args": {"arguments": "Lima?"}},
                        "thoughtSignature": UNSIGNED,
                    },
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "call_1", "name": "weather", "response": {"degrees": 3}}},
                    {"functionResponse": {"id": "call_2", "name": "weather", "response": {"output": "19 degrees"}}},
                ],
            },
            {"role": "user", "parts": [{"text": "Well?"}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "Weather of a city",
                        "parametersJsonSchema": {
                            "type": "object",
                            "properties": {"city": {"type": "string"}},
                            "required": ["city"],
                        },
                    },
                    {"name": "clock"},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "generationConfig": {
            "presencePenalty": 0.5,
            "frequencyPenalty": -0.5,
            "candidateCount": 2,
            "responseLogprobs": True,
            "logprobs": 3,
            "responseMimeType": "application/json",
            "responseJsonSchema": {
                "type": "object",
                "properties": {"why": {"type": "string"}, "city": {"type": "string"}},
            },
            "thinkingConfig": {"thinkingLevel": "MINIMAL"},
        },
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, None),
        (ToolChoice(), {"functionCallingConfig": {"mode": "AUTO"}}),
        (ToolChoice(mode="required"), {"functionCallingConfig": {"mode": "ANY"}}),
        (ToolChoice(mode="none"), {"functionCallingConfig": {"mode": "NONE"}}),
    ],
)
def test_tool_choices(
    choice: ToolChoice | None,
    config: dict[str, Any] | None,
    tool_talk: ChatRequest,
    make_model: Callable[..., Model],
) -> None:
    request = tool_talk.model_copy(update={"tool_choice": choice})
    assert sent(request, make_model()).get("toolConfig") == config


def test_pictures_that_a_tool_returned_lie_beside_its_result(make_model: Callable[..., Model]) -> None:
    request = ChatRequest(
        messages=(
            Message(role=Role.ASSISTANT, tool_calls=(ToolCall(id="c", name="look", arguments=""),)),
            Message(
                role=Role.TOOL,
                tool_call_id="c",
                content=(TextPart(text="[1]"), ImagePart(url="https://example.com/picture")),
            ),
        )
    )
    spoken, returned = sent(request, make_model())["contents"]
    assert spoken["parts"] == [
        {"functionCall": {"id": "c", "name": "look", "args": {"arguments": ""}}, "thoughtSignature": UNSIGNED}
    ]
    assert returned["parts"] == [
        {"functionResponse": {"id": "c", "name": "look", "response": {"output": "[1]"}}},
        {"fileData": {"fileUri": "https://example.com/picture"}},
    ]


def test_calls_of_a_whole_answer() -> None:
    calls: list[dict[str, Any]] = [
        {"functionCall": {"name": "weather", "args": {"unit": "C", "city": "Oslo"}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "own-id", "name": "clock"}},
    ]
    answer = {"candidates": [candidate({"text": "Hm.", "thought": True}, {"text": "Let me look."}, *calls)]}
    completion = WIRE.parse_response(json.dumps(answer).encode())
    weather, clock = completion.tool_calls
    assert (weather.name, weather.arguments) == ("weather", '{"city":"Oslo","unit":"C"}')
    assert weather.id.startswith("call_")
    assert clock == ToolCall(id="own-id", name="clock", arguments="{}")
    assert (completion.text, completion.finish_reason) == ("Let me look.", FinishReason.TOOL_CALLS)


def test_streamed_calls_are_calls_of_their_own() -> None:
    events = [
        {"candidates": [candidate({"text": "Let me"}, finish=None)]},
        {"candidates": [candidate({"text": " look."}, {"functionCall": {"name": "a", "args": {"x": 1}}}, finish=None)]},
        {"candidates": [candidate({"functionCall": {"name": "b"}}, finish=None)]},
        {"candidates": [candidate({"text": ""})], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}},
    ]
    assembly = Assembly()
    deltas = [assembly.add(WIRE.parse_event(json.dumps(event))) for event in events]
    completion = assembly.completion(WIRE.normalise_usage)
    assert deltas == ["Let me", " look.", "", ""]
    assert [(call.name, call.arguments) for call in completion.tool_calls] == [("a", '{"x":1}'), ("b", "{}")]
    assert len({call.id for call in completion.tool_calls}) == 2
    assert completion.finish_reason is FinishReason.TOOL_CALLS


def test_several_candidates_with_log_probabilities() -> None:
    chosen = [{"token": "Hi", "tokenId": 5, "logProbability": -0.25}, {"token": "é"}]
    top = [{"candidates": [chosen[0], {"token": "Ho", "tokenId": 6, "logProbability": -3}]}]
    answer = {
        "candidates": [
            candidate({"text": "Hié"}, index=0, logprobsResult={"chosenCandidates": chosen, "topCandidates": top}),
            candidate({"text": "Ho"}, index=1, finish="MAX_TOKENS"),
        ]
    }
    completion = WIRE.parse_response(json.dumps(answer).encode())
    assert completion.more == (Choice(text="Ho", finish_reason=FinishReason.LENGTH),)
    hi = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}
    assert completion.logprobs == {
        "content": [
            {**hi, "top_logprobs": [hi, {"token": "Ho", "logprob": -3.0, "bytes": [72, 111]}]},
            {"token": "é", "logprob": 0.0, "bytes": [195, 169], "top_logprobs": []},
        ],
        "refusal": None,
    }


def test_a_candidate_without_an_end_is_no_answer() -> None:
    with pytest.raises(WireError):
        WIRE.parse_response(json.dumps({"candidates": [candidate({"text": "Hi"}, finish=None)]}).encode())
