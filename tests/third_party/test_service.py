"""The whole service in front of model servers that others wrote, asked by OpenAI's own client."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from acceptance.conftest import Running, stack
from openai import OpenAI

CAPITAL = "The capital of Norway is Oslo, which lies at the end of a fjord."
MODELS = ("gpt-5.4-mini", "claude-haiku-4-5", "gemini-2.5-flash-lite")  # one for each wire format
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}},
]
ONLY_THIS = {"aico": {"cache": "off", "fallback": False, "max_retries": 0}}


@pytest.fixture(scope="module")
def behind(aimock: str, mockllm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    addresses = {
        "OPENAI_API_KEY": "stranger",
        "OPENAI_GATEWAY_URL": f"{aimock}/v1",
        "ANTHROPIC_API_KEY": "stranger",
        "ANTHROPIC_GATEWAY_URL": f"{aimock}/v1",
        "GOOGLE_API_KEY": "stranger",
        "GOOGLE_GATEWAY_URL": f"{aimock}/v1beta",
        "OPENAI_COMPATIBLE_URL": f"{mockllm}/v1",
        "OPENAI_COMPATIBLE_MODELS": "mockllm-model",
    }
    with stack(tmp_path_factory.mktemp("strangers"), "--no-flower", environment=addresses) as running:
        yield running


@pytest.fixture
def asking(behind: Running) -> OpenAI:
    return OpenAI(base_url=f"{behind.url}/v1", api_key=behind.key, max_retries=0)


@pytest.mark.parametrize("model", MODELS)
def test_each_wire_format_answers_whole_and_as_a_stream(asking: OpenAI, model: str) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the capital of Norway?"}]
    raw = asking.chat.completions.with_raw_response.create(model=model, messages=messages, extra_body=ONLY_THIS)
    answer = raw.parse()
    assert answer.choices[0].message.content == CAPITAL
    assert raw.headers["x-aico-model"] == model
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 17)
    chunks = asking.chat.completions.create(model=model, messages=messages, stream=True, extra_body=ONLY_THIS)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == CAPITAL


@pytest.mark.parametrize("model", MODELS)
def test_each_wire_format_calls_tools_and_reads_what_they_return(asking: OpenAI, model: str) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    called = asking.chat.completions.create(model=model, messages=messages, tools=TOOLS, extra_body=ONLY_THIS)
    (choice,) = called.choices
    assert choice.finish_reason == "tool_calls"
    calls = [one for one in choice.message.tool_calls or () if one.type == "function"]
    assert [(one.function.name, json.loads(one.function.arguments)) for one in calls] == [
        ("get_weather", {"city": "Oslo", "days": 2}),
        ("clock", {}),
    ]
    results = [{"role": "tool", "tool_call_id": one.id, "content": "3 degrees"} for one in calls]
    messages += [choice.message.to_dict(), *results]
    answer = asking.chat.completions.create(model=model, messages=messages, tools=TOOLS, extra_body=ONLY_THIS)
    assert answer.choices[0].message.content == "It is 3 degrees in Oslo."


def test_any_compatible_server_answers(asking: OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the capital of Norway?"}]
    answer = asking.chat.completions.create(model="mockllm-model", messages=messages, extra_body=ONLY_THIS)
    assert answer.choices[0].message.content == "It is Oslo."


def test_what_a_provider_refuses_for_good_is_told_once(asking: OpenAI) -> None:
    """Its strict mode answers a question that it does not know with an error."""
    messages: list[Any] = [{"role": "user", "content": "What is the capital of Sweden?"}]
    with pytest.raises(openai.APIStatusError) as caught:
        asking.chat.completions.create(model=MODELS[0], messages=messages, extra_body=ONLY_THIS)
    assert caught.value.code in {"request_refused", "all_candidates_failed"}
    assert caught.value.response.headers["x-should-retry"] == "false"
