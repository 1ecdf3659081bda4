"""The simulated model's server as the official client sees it: tools, pictures, schemas and several choices."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from aico.core.chat import (
    ChatRequest,
    FinishReason,
    ImagePart,
    JsonSchema,
    Message,
    Role,
    Tool,
    ToolCall,
    ToolChoice,
)
from aico.core.settings import Settings
from aico.embedded.local_model.app import create_app
from aico.embedded.local_model.engine import Engine
from aico.embedded.local_model.launcher import LocalModelServer
from aico.embedded.local_model.simulated import SimulatedEngine
from aico.embedded.ports import free_port
from aico.routing.catalogue import Catalogue
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import Provider

MODEL = "simulated-small"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "strict": True,
    },
}
CALL_IT: list[Any] = [{"role": "user", "content": "call get_weather"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, supervise: Callable) -> Iterator[LocalModelServer]:  # type: ignore[type-arg]
    state_dir = tmp_path_factory.mktemp("simulated")
    server = LocalModelServer(state_dir, free_port(0), simulated=True)
    with supervise(state_dir, server.spec()):
        yield server


@pytest.fixture
def client(server: LocalModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_a_tool_is_called_and_its_result_told(client: openai.OpenAI) -> None:
    asked = client.chat.completions.create(model=MODEL, messages=HELLO, tools=[WEATHER], tool_choice="required")
    assert asked.choices[0].finish_reason == "tool_calls"
    message = asked.choices[0].message
    assert message.content is None
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "simulated"})
    returned = [*HELLO, message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    told = client.chat.completions.create(model=MODEL, messages=returned, tools=[WEATHER], tool_choice="required")
    assert "21 degrees" in (told.choices[0].message.content or "")
    assert told.choices[0].finish_reason == "stop"


def test_a_streamed_call_comes_in_pieces(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=CALL_IT, tools=[WEATHER]) as stream:
        pieces = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
        streamed = stream.get_final_completion().choices[0]
    whole = client.chat.completions.create(model=MODEL, messages=CALL_IT, tools=[WEATHER]).choices[0]
    assert len(pieces) > 1
    assert streamed.finish_reason == whole.finish_reason == "tool_calls"
    assert streamed.message.tool_calls is not None
    assert whole.message.tool_calls is not None
    for ours, theirs in zip(streamed.message.tool_calls, whole.message.tool_calls, strict=True):
        assert theirs.type == "function"
        assert (ours.id, ours.function.arguments) == (theirs.id, theirs.function.arguments)


def test_a_schema_is_followed(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "count", "schema": schema, "strict": True}}
    reply = client.chat.completions.create(model=MODEL, messages=HELLO, response_format=form)
    assert json.loads(reply.choices[0].message.content or "") == {"n": 1}


def test_several_choices_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, n=3)
    texts = [choice.message.content for choice in whole.choices]
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    streamed: dict[int, str] = {}
    chunks = client.chat.completions.create(
        model=MODEL, messages=HELLO, n=3, stream=True, stream_options={"include_usage": True}
    )
    usage = None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            streamed[choice.index] = streamed.get(choice.index, "") + (choice.delta.content or "")
    assert list(streamed.values()) == texts
    assert usage == whole.usage


def test_pictures_and_an_empty_assistant_are_taken(client: openai.OpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]
    assert "1 messages with 4 words" in (
        client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content or ""
    )


@pytest.mark.parametrize("stream", [False, True])
def test_everything_that_a_request_can_say_is_taken(server: LocalModelServer, stream: bool) -> None:
    """By the way that the product calls it, with the capabilities that the catalogue claims for it."""
    provider = Provider(replace(PROFILE_BY_NAME["simulated"], base_url=server.url), None, max_connections=1)
    model = Catalogue.from_settings(Settings.model_construct(simulated_model_url=server.url)).find(MODEL)
    request = ChatRequest(
        messages=(
            Message(role=Role.SYSTEM, content="Be brief."),
            Message(role=Role.USER, name="ada", content=(ImagePart(url="https://example.com/a.png"),)),
            Message(role=Role.ASSISTANT, tool_calls=(ToolCall(id="c", name="clock", arguments="{}"),)),
            Message(role=Role.TOOL, tool_call_id="c", content="noon"),
            Message(role=Role.USER, content="call clock"),
        ),
        temperature=1,
        presence_penalty=1,
        logit_bias={"1": 2},
        n=2,
        logprobs=True,
        tools=(Tool(name="clock"),),
        tool_choice=ToolChoice(mode="one", name="clock"),
        parallel_tool_calls=False,
        reasoning_effort="low",
        verbosity="low",
        response_format="json_schema",
        json_schema=JsonSchema(schema_={"type": "object"}),
        hints={"user": "ada", "prompt_cache_key": "k"},
    )
    deltas: list[str] = []
    try:
        completion = provider.send_message(request, model, timeout=20, on_delta=deltas.append if stream else None)
    finally:
        provider.close()
    assert [call.name for call in completion.tool_calls] == ["clock"]
    assert [choice.finish_reason for choice in (completion, *completion.more)] == [FinishReason.TOOL_CALLS] * 2
    assert deltas == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 129}, "n"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}, "tools": [WEATHER]}, None),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"messages": [{"role": "assistant", "tool_calls": []}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, None),
    ],
)
def test_bad_input_is_refused(server: LocalModelServer, change: dict[str, Any], param: str | None) -> None:
    reply = httpx2.post(f"{server.url}/chat/completions", json={"model": MODEL, "messages": HELLO, **change})
    assert reply.status_code == 400
    if param is not None:
        assert reply.json()["error"]["param"] == param


class PlainEngine(SimulatedEngine):
    """What a small real model is: text in, one text out."""

    structured = False


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [WEATHER]}, "tools"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}, "response_format"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
            "messages",
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "noon"}]}, "messages"),
    ],
)
def test_a_plain_model_refuses_what_it_cannot_honour(change: dict[str, Any], param: str, tmp_path: Path) -> None:
    def load() -> Engine:
        return PlainEngine()

    async def ask() -> httpx2.Response:
        app = create_app(load)
        async with app.router.lifespan_context(app):
            await app.state.loading
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://local") as client:
                return await client.post("/v1/chat/completions", json={"model": MODEL, "messages": HELLO, **change})

    reply = asyncio.run(ask())
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param
