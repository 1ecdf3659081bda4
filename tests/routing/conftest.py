"""A real HTTP server on the loopback that plays a scripted provider, and catalogue parts for the routing tests."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from aico.core.chat import (
    ChatRequest,
    ImagePart,
    JsonSchema,
    Message,
    Role,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
)
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.models import Capability, Model

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ScriptedServer:
    """Plays one behaviour a request, in order, and keeps what it was sent."""

    url: str = ""
    script: list[Behaviour] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def play(self, *behaviours: Behaviour) -> None:
        self.script.extend(behaviours)

    def respond(self, status: int, body: object, headers: dict[str, str] | None = None) -> Behaviour:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()

        def behaviour(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(raw)

        return behaviour

    def stream(self, *events: object, then: Behaviour | None = None) -> Behaviour:
        """Events one by one; the connection closes after them, or `then` happens."""

        def behaviour(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.end_headers()
            for event in events:
                data = event if isinstance(event, str) else json.dumps(event)
                handler.wfile.write(f"data: {data}\n\n".encode())
                handler.wfile.flush()
            if then is not None:
                then(handler)

        return behaviour

    def reset(self, handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    def hang(self, handler: BaseHTTPRequestHandler) -> None:
        del handler
        self.released.wait(60)  # longer than any test waits

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """A byte now and then, often enough that no single read ever times out."""
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not self.released.wait(0.05):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return  # the client gave up, as it should


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            scripted.received.append(
                {"path": self.path, "headers": dict(self.headers), "body": json.loads(self.rfile.read(length))}
            )
            self.close_connection = True
            scripted.script.pop(0)(self)

        def finish(self) -> None:
            if not self.wfile.closed:
                try:
                    super().finish()
                except OSError:
                    self.wfile.close()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Stay quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    scripted.released.set()
    httpd.shutdown()
    thread.join()
    time.sleep(0.02)  # handlers that hung see the release
    httpd.server_close()


@pytest.fixture
def settings() -> Settings:
    """Every provider configured, nothing read from the machine's environment or files."""
    return Settings.model_construct(
        openai_api_key=SecretStr("sk-test-openai-0123456789"),
        anthropic_api_key=SecretStr("sk-ant-test-0123456789"),
        google_api_key=SecretStr("AIza-test-0123456789"),
        cerebras_api_key=SecretStr("csk-test-0123456789"),
        openrouter_api_key=SecretStr("sk-or-test-0123456789"),
        openai_compatible_url="http://127.0.0.1:9/v1/",
        openai_compatible_models=("house-model",),
        local_model_url="http://127.0.0.1:9/v1",
        simulated_model_url="http://127.0.0.1:9/v1",
    )


@pytest.fixture
def catalogue(settings: Settings) -> Catalogue:
    return Catalogue.from_settings(settings)


@pytest.fixture
def conversation() -> ChatRequest:
    return ChatRequest(
        messages=(
            Message(role=Role.SYSTEM, content="Be brief."),
            Message(role=Role.USER, content="Hello"),
            Message(role=Role.ASSISTANT, content="Hi."),
            Message(role=Role.USER, content="How are you?"),
        ),
        max_tokens=50,
        temperature=1.5,
        top_p=0.9,
        stop=("END",),
        seed=7,
        response_format="json_object",
    )


@pytest.fixture
def tool_talk() -> ChatRequest:
    """A conversation with everything in it: pictures, two calls and their results, and a schema for the answer."""
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return ChatRequest(
        messages=(
            Message(role=Role.SYSTEM, content="Be brief."),
            Message(
                role=Role.USER,
                name="ada",
                content=(
                    TextPart(text="Which of these is warmer?"),
                    ImagePart(url="data:image/png;base64,aGk=", detail="low"),
                    ImagePart(url="https://example.com/b/lima.jpg?size=2"),
                ),
            ),
            Message(
                role=Role.ASSISTANT,
                content="Let me look.",
                tool_calls=(
                    ToolCall(id="call_1", name="weather", arguments='{"city":"Oslo"}'),
                    ToolCall(id="call_2", name="weather", arguments="Lima?"),
                ),
            ),
            Message(role=Role.TOOL, tool_call_id="call_1", content='{"degrees":3}'),
            Message(role=Role.TOOL, tool_call_id="call_2", content="19 degrees"),
            Message(role=Role.USER, content="Well?"),
        ),
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        logit_bias={"42": -100},
        n=2,
        logprobs=True,
        top_logprobs=3,
        response_format="json_schema",
        json_schema=JsonSchema(
            name="verdict",
            description="Which one",
            schema_={"type": "object", "properties": {"why": {"type": "string"}, "city": {"type": "string"}}},
            strict=True,
        ),
        tools=(
            Tool(name="weather", description="Weather of a city", parameters=city, strict=True),
            Tool(name="clock"),
        ),
        tool_choice=ToolChoice(mode="one", name="weather"),
        parallel_tool_calls=False,
        reasoning_effort="minimal",
        verbosity="low",
        hints={"prompt_cache_key": "k", "model": "another", "stream": True},
    )


@pytest.fixture
def make_model() -> Callable[..., Model]:
    def build(name: str = "m", **changes: Any) -> Model:
        values: dict[str, Any] = {
            "id": name,
            "provider": "openai",
            "provider_model": name,
            "quality": 0.5,
            "context_window": 10_000,
            "max_output": 1_000,
            "capabilities": frozenset({Capability.JSON, Capability.SAMPLING}),
        }
        return Model(**{**values, **changes})

    return build
