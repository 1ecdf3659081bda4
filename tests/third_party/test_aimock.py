"""All three wire formats against `@copilotkit/aimock`, which speaks each of them in its own words."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from aico.core.chat import (
    ChatRequest,
    Completion,
    FinishReason,
    ImagePart,
    Message,
    Role,
    TextPart,
    Tool,
    ToolChoice,
)
from aico.routing.models import Capability, Model
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import Provider

VERSIONS = {"openai": "v1", "anthropic": "v1", "google": "v1beta"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
TOOLS = (Tool(name="get_weather", description="Weather of a city", parameters=CITY), Tool(name="clock"))
CAPITAL = "The capital of Norway is Oslo, which lies at the end of a fjord."
MODEL = Model(
    id="m",
    provider="any",
    provider_model="model-1",
    quality=0.5,
    context_window=10_000,
    max_output=1_000,
    capabilities=frozenset(Capability),
)


@pytest.fixture(params=VERSIONS)
def provider(request: pytest.FixtureRequest, aimock: str) -> Iterator[Provider]:
    profile = replace(PROFILE_BY_NAME[request.param], base_url=f"{aimock}/{VERSIONS[request.param]}")
    opened = Provider(profile, SecretStr("stranger"), max_connections=1)
    yield opened
    opened.close()


def ask(provider: Provider, request: ChatRequest, *, stream: bool) -> tuple[Completion, list[str]]:
    deltas: list[str] = []
    return provider.send_message(request, MODEL, timeout=20, on_delta=deltas.append if stream else None), deltas


def question(text: str, **fields: Any) -> ChatRequest:
    return ChatRequest(messages=(Message(role=Role.USER, content=text),), **fields)


def last_seen(aimock: str) -> dict[str, Any]:
    """The last request as the server understood it, in the one form into which it turns all formats."""
    entry: dict[str, Any] = httpx2.get(f"{aimock}/__aimock/journal").json()[-1]["body"]
    return entry


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_and_what_it_took(provider: Provider, stream: bool) -> None:
    completion, deltas = ask(provider, question("What is the capital of Norway?"), stream=stream)
    assert (completion.text, completion.finish_reason) == (CAPITAL, FinishReason.STOP)
    assert (completion.usage.input_total, completion.usage.output) == (11, 17)
    assert completion.tool_calls == ()
    assert "".join(deltas) == (CAPITAL if stream else "")
    assert bool(deltas) is stream


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls(provider: Provider, stream: bool) -> None:
    completion, deltas = ask(provider, question("What is the weather in Oslo?", tools=TOOLS), stream=stream)
    assert completion.finish_reason is FinishReason.TOOL_CALLS
    assert [(call.name, json.loads(call.arguments)) for call in completion.tool_calls] == [
        ("get_weather", {"city": "Oslo", "days": 2}),
        ("clock", {}),
    ]
    assert len({call.id for call in completion.tool_calls}) == 2
    assert completion.text == "Let me look."
    assert "".join(deltas) == ("Let me look." if stream else "")


@pytest.mark.parametrize("stream", [False, True])
def test_what_tools_returned_is_understood(provider: Provider, aimock: str, stream: bool) -> None:
    asked = question("What is the weather in Oslo?", tools=TOOLS, tool_choice=ToolChoice(mode="required"))
    called, _ = ask(provider, asked, stream=False)
    assert [tool["function"]["name"] for tool in last_seen(aimock)["tools"]] == ["get_weather", "clock"]
    if provider.profile.name != "google":  # of Google's two fields for it, the server reads the older one only
        assert last_seen(aimock)["tools"][0]["function"]["parameters"] == CITY
    first, second = called.tool_calls
    told = asked.model_copy(
        update={
            "messages": (
                *asked.messages,
                Message(role=Role.ASSISTANT, content=called.text, tool_calls=called.tool_calls),
                Message(role=Role.TOOL, tool_call_id=second.id, content="noon"),
                Message(role=Role.TOOL, tool_call_id=first.id, content="3 degrees"),
            )
        }
    )
    answer, _ = ask(provider, told, stream=stream)
    assert answer.text == "It is 3 degrees in Oslo."
    seen = last_seen(aimock)["messages"]
    assert [message["role"] for message in seen] == ["user", "assistant", "tool", "tool"]
    assert [call["function"]["name"] for call in seen[1]["tool_calls"]] == ["get_weather", "clock"]
    assert json.loads(seen[1]["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo", "days": 2}


def test_a_picture_does_not_hide_the_words_beside_it(provider: Provider) -> None:
    content = (ImagePart(url="data:image/png;base64,aGk="), TextPart(text="What is the capital of Norway?"))
    request = ChatRequest(messages=(Message(role=Role.USER, content=content),))
    assert ask(provider, request, stream=False)[0].text == CAPITAL


def test_system_messages_arrive_as_such(provider: Provider, aimock: str) -> None:
    request = question("What is the capital of Norway?", max_tokens=99, temperature=0.5)
    system = Message(role=Role.SYSTEM, content="Be brief.")
    ask(provider, request.model_copy(update={"messages": (system, *request.messages)}), stream=False)
    seen = last_seen(aimock)
    assert seen["messages"][0] == {"role": "system", "content": "Be brief."}
    assert seen["temperature"] == 0.5


@pytest.mark.parametrize("stream", [False, True])
def test_refusals(provider: Provider, stream: bool) -> None:
    with pytest.raises(ProviderError) as busy:
        ask(provider, question("too much"), stream=stream)
    assert (busy.value.kind, busy.value.http_status) == (FailureKind.RETRYABLE, 429)
    assert "Slow down" in busy.value.message
    with pytest.raises(ProviderError) as unknown:
        ask(provider, question("Nobody knows this"), stream=stream)
    assert unknown.value.http_status is not None
    assert unknown.value.http_status >= 400
    assert "stranger" not in unknown.value.message
