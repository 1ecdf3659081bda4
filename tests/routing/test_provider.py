from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any  # the scripted server is a fixture: conftest cannot be imported

import httpx2
import pytest
from pydantic import SecretStr

from aico.core.chat import ChatRequest, Choice, FinishReason, Message, Role, ToolCall
from aico.core.settings import Settings
from aico.routing.models import Model
from aico.routing.providers.failures import FailureKind, ProviderError, failure_kind, retry_after_seconds
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import MAX_ANSWER_BYTES, Provider, open_providers
from aico.routing.providers.sse import EventDecoder
from aico.routing.providers.transport import CallStopped

KEY = "house-credential-1234"
REQUEST = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),))
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
ANSWER = {"model": "m-1", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": USAGE}


def chunk(text: str, finish: str | None = None) -> dict[str, object]:
    return {"model": "m-1", "choices": [{"delta": {"content": text}, "finish_reason": finish}]}


@pytest.fixture
def provider(server: Any) -> Iterator[Provider]:
    profile = replace(PROFILE_BY_NAME["openai"], base_url=server.url)
    opened = Provider(profile, SecretStr(KEY), max_connections=2)
    yield opened
    opened.close()


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model("m")


def failure(provider: Provider, model: Model, *, timeout: float = 5, stream: bool = False) -> ProviderError:
    deltas: list[str] = []
    with pytest.raises(ProviderError) as caught:
        provider.send_message(REQUEST, model, timeout=timeout, on_delta=deltas.append if stream else None)
    assert KEY not in caught.value.message
    return caught.value


def test_answer(server: Any, provider: Provider, model: Model) -> None:
    server.play(server.respond(200, ANSWER))
    completion = provider.send_message(REQUEST, model, timeout=5)
    assert (completion.text, completion.model, completion.usage.total) == ("Hi", "m-1", 5)
    assert server.received[0]["path"] == "/v1/chat/completions"
    assert server.received[0]["headers"]["Authorization"] == f"Bearer {KEY}"


def test_streamed_answer(server: Any, provider: Provider, model: Model) -> None:
    server.play(
        server.stream(chunk("Hel"), chunk("lo"), chunk("", "length"), {"choices": [], "usage": USAGE}, "[DONE]")
    )
    deltas: list[str] = []
    completion = provider.send_message(REQUEST, model, timeout=5, on_delta=deltas.append)
    assert "".join(deltas) == "Hello"  # in as many pieces as the network made of it
    assert (completion.text, completion.finish_reason) == ("Hello", FinishReason.LENGTH)
    assert (completion.usage.input_total, completion.usage.output) == (3, 2)


def test_a_streamed_call_comes_with_the_answer_and_is_not_told_as_text(
    server: Any, provider: Provider, model: Model
) -> None:
    def called(**function: str) -> dict[str, object]:
        call = {"index": 0, "id": "call_1", "function": function}
        return {"model": "m-1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    other = {"choices": [{"index": 1, "delta": {"content": "No."}, "finish_reason": "stop"}]}
    pieces = (called(name="clock", arguments="{"), called(arguments="}"))
    server.play(server.stream(*pieces, other, chunk("", "tool_calls"), "[DONE]"))
    deltas: list[str] = []
    completion = provider.send_message(REQUEST, model, timeout=5, on_delta=deltas.append)
    assert deltas == []
    assert completion.tool_calls == (ToolCall(id="call_1", name="clock", arguments="{}"),)
    assert completion.more == (Choice(text="No.", finish_reason=FinishReason.STOP),)
    server.play(server.stream(*pieces))
    error = failure(provider, model, stream=True)
    assert (error.kind, error.content_started) == (FailureKind.RETRYABLE, False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.FATAL),
        (401, FailureKind.FATAL),
        (404, FailureKind.FATAL),
        (302, FailureKind.FATAL),
        (408, FailureKind.RETRYABLE),
        (409, FailureKind.RETRYABLE),
        (429, FailureKind.RETRYABLE),
        (500, FailureKind.RETRYABLE),
        (529, FailureKind.RETRYABLE),
    ],
)
def test_statuses(server: Any, provider: Provider, model: Model, status: int, kind: FailureKind) -> None:
    server.play(server.respond(status, {"error": {"message": f"Key {KEY} says no"}}, {"Retry-After": "7"}))
    error = failure(provider, model)
    assert (error.kind, error.http_status, error.retry_after) == (kind, status, 7.0)
    assert error.message == f"HTTP {status}: Key [redacted] says no"


def test_network_reset(server: Any, provider: Provider, model: Model) -> None:
    server.play(server.reset)
    error = failure(provider, model)
    assert (error.kind, error.http_status, error.content_started) == (FailureKind.RETRYABLE, None, False)


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
@pytest.mark.parametrize("stream", [False, True])
def test_silence_and_slow_drips_end(
    server: Any, provider: Provider, model: Model, behaviour: str, stream: bool
) -> None:
    server.play(getattr(server, behaviour))
    error = failure(provider, model, timeout=0.3, stream=stream)
    assert (error.kind, error.message) == (FailureKind.RETRYABLE, "openai took longer than the attempt was given")


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_stopped_call_ends(server: Any, provider: Provider, model: Model, behaviour: str, stream: bool) -> None:
    server.play(getattr(server, behaviour))
    deltas: list[str] = []
    with pytest.raises(CallStopped) as caught:
        provider.send_message(
            REQUEST,
            model,
            timeout=60,
            on_delta=deltas.append if stream else None,
            should_stop=lambda: bool(server.received),  # once the request has arrived
        )
    assert caught.value.usage is None


def test_a_stopped_stream_reports_what_was_used(server: Any, provider: Provider, model: Model) -> None:
    server.play(server.stream({"choices": [], "usage": USAGE}, chunk("Hel"), then=server.hang))
    deltas: list[str] = []
    with pytest.raises(CallStopped) as caught:
        provider.send_message(REQUEST, model, timeout=60, on_delta=deltas.append, should_stop=lambda: bool(deltas))
    assert deltas == ["Hel"]
    assert caught.value.usage is not None
    assert caught.value.usage.total == 5


def test_long_error_pages_change_nothing(server: Any, provider: Provider, model: Model) -> None:
    server.play(server.respond(503, b"<html>" + b"x" * 500_000))
    error = failure(provider, model)
    assert (error.kind, error.message) == (FailureKind.RETRYABLE, "HTTP 503")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b'{"choices": []}', b"\xff\xfe\x00"])
def test_garbage(server: Any, provider: Provider, model: Model, body: bytes) -> None:
    server.play(server.respond(200, body))
    error = failure(provider, model)
    assert (error.kind, error.http_status) == (FailureKind.RETRYABLE, 200)
    assert "hello" not in error.message


def test_truncated_body(server: Any, provider: Provider, model: Model) -> None:
    server.play(server.respond(200, ANSWER, {"Content-Length": "5000"}))
    assert failure(provider, model).kind is FailureKind.RETRYABLE


def test_truncated_stream_reports_what_was_used(server: Any, provider: Provider, model: Model) -> None:
    server.play(server.stream({"choices": [], "usage": USAGE}, chunk("Hel")))
    error = failure(provider, model, stream=True)
    assert error.content_started
    assert error.message == "the stream ended before the answer did"
    assert error.usage is not None
    assert error.usage.total == 5


@pytest.mark.parametrize("ending", ["reset", "hang"])
def test_stream_that_breaks_off(server: Any, provider: Provider, model: Model, ending: str) -> None:
    server.play(server.stream(chunk("Hel"), then=getattr(server, ending)))
    error = failure(provider, model, timeout=0.5, stream=True)
    assert (error.content_started, error.kind) == (True, FailureKind.RETRYABLE)


def test_error_event_in_a_stream(server: Any, provider: Provider, model: Model) -> None:
    server.play(server.stream({"error": {"message": "too hot", "type": "invalid_request_error"}}))
    error = failure(provider, model, stream=True)
    assert (error.content_started, error.kind) == (False, FailureKind.FATAL)


def test_what_on_delta_raises_passes_through(server: Any, provider: Provider, model: Model) -> None:
    class Gone(Exception):
        pass

    def refuse(delta: str) -> None:
        raise Gone(delta)

    server.play(server.stream(chunk("Hel"), chunk("lo", "stop")))
    with pytest.raises(Gone, match="Hel"):
        provider.send_message(REQUEST, model, timeout=5, on_delta=refuse)


def test_oversized_answer_is_refused_for_good(model: Model) -> None:
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            sent.append(1_000_000)
            yield b" " * 1_000_000

    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=endless()))
    provider = Provider(PROFILE_BY_NAME["openai"], None, max_connections=1, transport=transport)
    error = failure(provider, model)
    provider.close()
    assert error.kind is FailureKind.FATAL
    assert sum(sent) < 2 * MAX_ANSWER_BYTES


def test_unusable_address(model: Model) -> None:
    provider = Provider(replace(PROFILE_BY_NAME["openai"], base_url="nowhere"), None, max_connections=1)
    assert failure(provider, model).kind is FailureKind.FATAL
    provider.close()


def test_opening_only_what_is_configured() -> None:
    settings = Settings.model_construct(openai_api_key=SecretStr("k"), local_model_url="http://127.0.0.1:9/v1/")
    providers = open_providers(settings, max_connections=4)
    assert {name: provider.profile.base_url for name, provider in providers.items()} == {
        "openai": "https://api.openai.com/v1",
        "local": "http://127.0.0.1:9/v1",
    }
    for provider in providers.values():
        provider.close()


def test_empty_account_is_not_worth_a_retry() -> None:
    assert failure_kind(429, "insufficient_quota") is FailureKind.FATAL
    assert failure_kind(429, None) is FailureKind.RETRYABLE
    assert failure_kind(None, "overloaded_error") is FailureKind.RETRYABLE


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 +99999999999999999"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_survive_any_cutting(size: int) -> None:
    text = ": note\r\nevent: x\r\ndata: caf\u00e9\r\ndata:two\r\n\r\nretry: 5\n\ndata: last\n\ndata: unfinished"
    stream = text.encode()
    decoder = EventDecoder()
    events = [data for start in range(0, len(stream), size) for data in decoder.feed(stream[start : start + size])]
    assert events == ["caf\u00e9\ntwo", "last"]
