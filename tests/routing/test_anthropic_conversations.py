"""Tools, pictures and schemas in Anthropic's messages."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from aico.core.chat import ChatRequest, FinishReason, ImagePart, Message, Role, TextPart, ToolCall, ToolChoice
from aico.routing.models import Capability, Model
from aico.routing.providers.anthropic_messages import AnthropicMessages
from aico.routing.providers.assembly import Assembly
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import WireError

WIRE = AnthropicMessages()


def sent(request: ChatRequest, model: Model) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        WIRE.build_request(PROFILE_BY_NAME["anthropic"], None, model, request, stream=False).body
    )
    return body


def test_request_carries_the_whole_conversation(tool_talk: ChatRequest, make_model: Callable[..., Model]) -> None:
    model = make_model("claude", capabilities=frozenset(Capability))
    assert sent(tool_talk, model) == {
        "model": "claude",
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which of these is warmer?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/b/lima.jpg?size=2"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Oslo"}},
                    {"type": "tool_use", "id": "call_2", "name": "weather", "input": {"arguments": "Lima?"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": '{"degrees":3}'},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": "19 degrees"},
                ],
            },
            {"role": "user", "content": "Well?"},
        ],
        "max_tokens": 1000,
        "tools": [
            {
                "name": "weather",
                "description": "Weather of a city",
                "input_schema": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
                "strict": True,
            },
            {"name": "clock", "input_schema": {"type": "object", "properties": {}}},
        ],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        "output_config": {
            "effort": "low",
            "format": {
                "type": "json_schema",
                "schema": {"type": "object", "properties": {"why": {"type": "string"}, "city": {"type": "string"}}},
            },
        },
    }


@pytest.mark.parametrize(
    ("choice", "parallel", "said"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(), None, {"type": "auto"}),
        (ToolChoice(mode="required"), None, {"type": "any"}),
        (ToolChoice(mode="none"), False, {"type": "none"}),
    ],
)
def test_tool_choices(
    choice: ToolChoice | None,
    parallel: bool | None,
    said: dict[str, Any] | None,
    tool_talk: ChatRequest,
    make_model: Callable[..., Model],
) -> None:
    request = tool_talk.model_copy(update={"tool_choice": choice, "parallel_tool_calls": parallel})
    assert sent(request, make_model()).get("tool_choice") == said


@pytest.mark.parametrize("effort", [None, "none", "unheard-of"])
def test_an_effort_that_has_no_name_here_is_left_out(
    effort: str | None, tool_talk: ChatRequest, make_model: Callable[..., Model]
) -> None:
    request = tool_talk.model_copy(update={"reasoning_effort": effort, "response_format": "text"})
    assert "output_config" not in sent(request, make_model(capabilities=frozenset(Capability)))


def test_empty_text_makes_no_block_and_ids_of_others_are_taken(make_model: Callable[..., Model]) -> None:
    call = ToolCall(id="functions.look:0", name="look", arguments="{}")
    picture = ImagePart(url="data:image/webp;charset=x;base64,aGk=")
    request = ChatRequest(
        messages=(
            Message(role=Role.ASSISTANT, tool_calls=(call,)),
            Message(role=Role.TOOL, tool_call_id="functions.look:0", content=(TextPart(text=""), picture)),
        )
    )
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "aGk="}}
    assert sent(request, make_model())["messages"] == [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "functions_look_0", "name": "look", "input": {}}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "functions_look_0",
                    "content": [image],
                }
            ],
        },
    ]


def test_calls_of_a_whole_answer() -> None:
    answer = {
        "model": "claude",
        "content": [
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"unit": "C", "city": "Oslo"}},
            {"type": "tool_use", "id": "toolu_2", "name": "clock", "input": {}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 9, "output_tokens": 30, "output_tokens_details": {"thinking_tokens": 12}},
    }
    completion = WIRE.parse_response(json.dumps(answer).encode())
    assert (completion.text, completion.finish_reason) == ("Let me look.", FinishReason.TOOL_CALLS)
    assert completion.tool_calls == (
        ToolCall(id="toolu_1", name="weather", arguments='{"city":"Oslo","unit":"C"}'),
        ToolCall(id="toolu_2", name="clock", arguments="{}"),
    )
    assert (completion.usage.output, completion.usage.reasoning) == (30, 12)


def test_streamed_calls_come_together() -> None:
    def block(index: int, **content: Any) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": content}

    def delta(index: int, **content: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": content}

    events = [
        {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 9, "output_tokens": 1}}},
        block(0, type="thinking", thinking=""),
        delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="signature_delta", signature="x"),
        {"type": "content_block_stop", "index": 0},
        block(1, type="text", text=""),
        delta(1, type="text_delta", text="Let me look."),
        block(2, type="tool_use", id="toolu_1", name="weather", input={}),
        delta(2, type="input_json_delta", partial_json=""),
        delta(2, type="input_json_delta", partial_json='{"city": '),
        delta(2, type="input_json_delta", partial_json='"Oslo"}'),
        {"type": "content_block_stop", "index": 2},
        block(3, type="tool_use", id="toolu_2", name="clock", input={}),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 40}},
        {"type": "message_stop"},
    ]
    assembly = Assembly()
    deltas = [assembly.add(WIRE.parse_event(json.dumps(event))) for event in events]
    completion = assembly.completion(WIRE.normalise_usage)
    assert [text for text in deltas if text] == ["Let me look."]
    assert completion.tool_calls == (
        ToolCall(id="toolu_1", name="weather", arguments='{"city": "Oslo"}'),
        ToolCall(id="toolu_2", name="clock", arguments="{}"),
    )
    assert (completion.finish_reason, completion.model) == (FinishReason.TOOL_CALLS, "claude")
    assert (completion.usage.input_total, completion.usage.output) == (9, 40)


def test_arguments_that_are_no_json_are_no_answer() -> None:
    use = {"type": "tool_use", "id": "t", "name": "n", "input": {"x": float("nan")}}
    with pytest.raises(WireError, match="arguments"):
        WIRE.parse_response(json.dumps({"content": [use], "stop_reason": "tool_use"}).encode())
