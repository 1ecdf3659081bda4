"""Tools, pictures, choices and log probabilities in OpenAI's chat completions."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from aico.core.chat import ChatRequest, Choice, Completion, FinishReason, Message, Role, ToolCall, ToolChoice
from aico.routing.models import Capability, Model
from aico.routing.providers.assembly import Assembly
from aico.routing.providers.openai_chat import OpenAIChat
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.wire import WireError

WIRE = OpenAIChat()
TOKEN = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105]}
LOGPROBS = {
    "content": [{**TOKEN, "top_logprobs": [TOKEN, {"token": "Ho", "logprob": -2.5, "bytes": None}]}],
    "refusal": None,
}


def sent(request: ChatRequest, model: Model, profile: str = "openai") -> dict[str, Any]:
    body = WIRE.build_request(PROFILE_BY_NAME[profile], None, model, request, stream=False).body
    decoded: dict[str, Any] = json.loads(body)
    return decoded


def answered(*choices: dict[str, Any], **rest: Any) -> Completion:
    return WIRE.parse_response(json.dumps({"model": "m", "choices": choices, **rest}).encode())


def streamed(*events: dict[str, Any]) -> Completion:
    assembly = Assembly()
    for event in events:
        assembly.add(WIRE.parse_event(json.dumps({"model": "m", **event})))
    return assembly.completion(WIRE.normalise_usage)


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0, **rest: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish, **rest}]}


def test_request_carries_the_whole_conversation(tool_talk: ChatRequest, make_model: Callable[..., Model]) -> None:
    model = make_model("gpt", capabilities=frozenset(Capability))
    assert sent(tool_talk, model) == {
        "model": "gpt",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "name": "ada",
                "content": [
                    {"type": "text", "text": "Which of these is warmer?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/b/lima.jpg?size=2"}},
                ],
            },
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
                    },
                    {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": "Lima?"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees":3}'},
            {"role": "tool", "tool_call_id": "call_2", "content": "19 degrees"},
            {"role": "user", "content": "Well?"},
        ],
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "logit_bias": {"42": -100},
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "verdict",
                "description": "Which one",
                "schema": {"type": "object", "properties": {"why": {"type": "string"}, "city": {"type": "string"}}},
                "strict": True,
            },
        },
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Weather of a city",
                    "parameters": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                    },
                    "strict": True,
                },
            },
            {"type": "function", "function": {"name": "clock"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "reasoning_effort": "minimal",
        "verbosity": "low",
        "prompt_cache_key": "k",
    }


def test_a_schema_keeps_the_order_of_its_properties(tool_talk: ChatRequest, make_model: Callable[..., Model]) -> None:
    body = WIRE.build_request(PROFILE_BY_NAME["openai"], None, make_model(), tool_talk, stream=False).body
    assert body.index(b'"why"') < body.index(b'"city":{"type":"string"}}},"strict":true}}')


def test_servers_that_may_refuse_unknown_fields_are_sent_none(
    tool_talk: ChatRequest, make_model: Callable[..., Model]
) -> None:
    plain = sent(tool_talk, make_model("m"), "openai_compatible")
    left_out = {"verbosity", "prompt_cache_key", "reasoning_effort", "presence_penalty", "logit_bias"}
    assert not left_out & plain.keys()
    assert plain["model"] == "m"


@pytest.mark.parametrize("mode", ["auto", "none", "required"])
def test_tool_choices_in_a_word(mode: str, tool_talk: ChatRequest, make_model: Callable[..., Model]) -> None:
    request = tool_talk.model_copy(update={"tool_choice": ToolChoice.model_validate({"mode": mode})})
    assert sent(request, make_model())["tool_choice"] == mode


def test_without_tools_nothing_is_said_about_them(make_model: Callable[..., Model]) -> None:
    request = ChatRequest(
        messages=(Message(role=Role.USER, content="Hello"),),
        tool_choice=ToolChoice(mode="none"),
        parallel_tool_calls=False,
        top_logprobs=2,
    )
    assert sent(request, make_model()) == {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def test_calls_of_a_whole_answer() -> None:
    calls = [
        {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
        {"id": "call_b", "type": "function", "function": {"name": "clock", "arguments": ""}},
    ]
    completion = answered({"message": {"content": None, "tool_calls": calls}, "finish_reason": "stop"})
    assert completion.finish_reason is FinishReason.TOOL_CALLS, "a call that was insisted on ends with `stop`"
    assert completion.tool_calls == (
        ToolCall(id="call_a", name="weather", arguments='{"city": "Oslo"}'),
        ToolCall(id="call_b", name="clock", arguments="{}"),
    )
    assert completion.text == ""


def test_a_call_without_an_id_is_given_one() -> None:
    call = {"function": {"name": "clock", "arguments": "{}"}}
    first, second = (
        answered({"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}).tool_calls[0].id for _ in range(2)
    )
    assert first.startswith("call_")
    assert first != second
    assert len(first) <= 40


def test_several_choices_with_log_probabilities() -> None:
    completion = answered(
        {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop", "logprobs": LOGPROBS},
        {"index": 1, "message": {"refusal": "No."}, "finish_reason": "stop"},
    )
    assert (completion.text, completion.logprobs) == ("Hi", LOGPROBS)
    assert completion.more == (Choice(text="No.", refused=True, finish_reason=FinishReason.CONTENT_FILTER),)


def test_log_probabilities_that_are_no_numbers_are_no_answer() -> None:
    broken = {"content": [{"token": "x", "logprob": float("-inf")}]}
    with pytest.raises(WireError):
        answered({"message": {"content": "x"}, "finish_reason": "stop", "logprobs": broken})


def test_streamed_calls_come_together() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "function": function}]}

    opening = {"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}}
    second = {"index": 1, "id": "call_b", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    completion = streamed(
        chunk({"role": "assistant", "content": None, "tool_calls": [opening]}),
        chunk(call(0, arguments='{"city"')),
        chunk({"tool_calls": [second]}),
        chunk(call(0, arguments=':"Oslo"}')),
        chunk({}, "tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}},
    )
    assert completion.tool_calls == (
        ToolCall(id="call_a", name="weather", arguments='{"city":"Oslo"}'),
        ToolCall(id="call_b", name="clock", arguments="{}"),
    )
    assert (completion.finish_reason, completion.usage.output) == (FinishReason.TOOL_CALLS, 7)


def test_streamed_choices_are_kept_apart() -> None:
    completion = streamed(
        chunk({"content": "Ho"}, index=1),
        chunk({"content": "Hi"}, logprobs=LOGPROBS),
        chunk({"content": "!"}, logprobs={"content": [{"token": "!", "logprob": 0, "bytes": [33]}], "refusal": None}),
        chunk({}, "length", index=1),
        chunk({}, "stop"),
    )
    assert (completion.text, completion.more) == ("Hi!", (Choice(text="Ho", finish_reason=FinishReason.LENGTH),))
    assert completion.logprobs is not None
    assert [token["token"] for token in completion.logprobs["content"]] == ["Hi", "!"]


def test_a_stream_that_leaves_one_choice_open_is_no_answer() -> None:
    with pytest.raises(WireError, match="ended before the answer did"):
        streamed(chunk({"content": "Hi"}, "stop"), chunk({"content": "Ho"}, index=1))


def test_a_streamed_refusal_says_so_in_its_words() -> None:
    completion = streamed(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop"))
    assert (completion.text, completion.refused) == ("I cannot.", True)
    assert completion.finish_reason is FinishReason.CONTENT_FILTER
