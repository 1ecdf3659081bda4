"""Every way in which a provider fails, by wire format, against a server on this machine.

What kind of failure it is, whether the next candidate is asked, what the ledger is told, and what the breakers learn.
"""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from typing import Any  # the scripted server is a fixture: conftest cannot be imported

import pytest
from pydantic import SecretStr

from aico.core.attempts import Attempt, AttemptOutcome
from aico.core.chat import ChatRequest, Message, Role
from aico.routing.breaker import Entry, Kind, Mark, Marks, Scope
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import Dispatched, Dispatcher, RetryPolicy
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed
from aico.routing.prices import PriceBook
from aico.routing.providers import provider as provider_module
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import Provider
from aico.routing.run import Timing

REQUEST = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),))
KEY = "house-credential-1234"
WIRES = {"openai": "gpt-5.4-nano", "anthropic": "claude-haiku-4-5", "google": "gemini-2.5-flash"}
every_wire = pytest.mark.parametrize("name", list(WIRES))
FALLBACK = {
    "model": "house",
    "choices": [{"message": {"content": "From the other"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
FALLBACK_EVENTS = (
    {"model": "house", "choices": [{"delta": {"content": "From the other"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": FALLBACK["usage"]},
    "[DONE]",
)
OPENAI_TEXT = {"choices": [{"delta": {"content": "Hel"}}]}
ANTHROPIC_START = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}}
ANTHROPIC_TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}
GOOGLE_TEXT = {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}], "usageMetadata": {"promptTokenCount": 9}}
FIRST_PIECE: dict[str, tuple[dict[str, Any], ...]] = {
    "openai": (OPENAI_TEXT,),
    "anthropic": (ANTHROPIC_START, ANTHROPIC_TEXT),
    "google": (GOOGLE_TEXT,),
}
ERROR_EVENT: dict[str, dict[str, Any]] = {
    "openai": {"error": {"message": "too hot", "type": "server_error"}},
    "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": "too hot"}},
    "google": {"error": {"code": 503, "status": "UNAVAILABLE", "message": "too hot"}},
}


class Recorder:
    """A breaker that lets everything through and keeps what it is told of the first candidate."""

    def __init__(self) -> None:
        self.told: list[tuple[Marks, str]] = []

    def enter(self, scopes: Any, lease: float) -> Entry:
        assert lease > 0
        return Entry(tuple(scopes))

    def leave(self, entry: Entry, marks: Marks, said: str = "") -> None:
        (scope,) = [scope for scope in entry.scopes if scope.kind is Kind.MODEL]
        if scope != Scope(Kind.MODEL, "openai_compatible", None, "house"):
            self.told.append((marks, said))

    @property
    def bad(self) -> set[Kind]:
        return {kind for marks, _ in self.told for kind, mark in marks.items() if mark is Mark.BAD}


@dataclass
class Scene:
    server: Any
    name: str
    model: Model
    dispatcher: Dispatcher
    breaker: Recorder
    house: Model
    recorded: list[Attempt]
    deltas: list[str]

    def dispatch(self, *, stream: bool = False) -> Dispatched:
        return self.dispatcher.dispatch(
            REQUEST,
            [self.model, self.house],
            deadline=100.0,
            record=self.recorded.append,
            should_stop=lambda: False,
            on_delta=self.deltas.append if stream else None,
        )

    def falls_back(self, *, stream: bool = False) -> Attempt:
        """The first candidate's one attempt; the second has answered."""
        answer = self.server.stream(*FALLBACK_EVENTS) if stream else self.server.respond(200, FALLBACK)
        self.server.play(answer)
        assert self.dispatch(stream=stream).completion.text == "From the other"
        failed, answered = self.recorded
        assert (answered.model, answered.outcome) == ("house", AttemptOutcome.OK)
        assert (failed.model, failed.cost_cents, failed.usage.total) == (self.model.id, None, 0)
        assert KEY not in (failed.error or "")
        return failed


Play = Callable[..., Scene]


@pytest.fixture
def play(server: Any, catalogue: Catalogue, make_model: Callable[..., Model]) -> Iterator[Play]:
    with ExitStack() as opened:

        def make(name: str, url: str | None = None, timeout: float = 5.0) -> Scene:
            first = replace(PROFILE_BY_NAME[name], base_url=url or server.url)
            second = replace(PROFILE_BY_NAME["openai_compatible"], base_url=server.url)
            providers = {
                profile.name: opened.enter_context(closing(Provider(profile, SecretStr(KEY), max_connections=1)))
                for profile in (first, second)
            }
            breaker = Recorder()
            dispatcher = Dispatcher(
                providers,
                PriceBook(catalogue),
                RetryPolicy(tries=1, attempt_timeout=timeout),
                Timing(clock=lambda: 0.0),
                breaker=breaker,
            )
            model = make_model(WIRES[name], provider=name)
            house = make_model("house", provider="openai_compatible")
            return Scene(server, name, model, dispatcher, breaker, house, [], [])

        yield make


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@every_wire
def test_a_refused_connection(play: Play, name: str) -> None:
    scene = play(name, f"http://127.0.0.1:{closed_port()}/v1")
    failed = scene.falls_back()
    assert (failed.outcome, failed.http_status) == (AttemptOutcome.RETRYABLE, None)
    assert (scene.breaker.bad, scene.breaker.told[0][1]) == ({Kind.PROVIDER}, "unreachable")


def test_a_name_that_does_not_resolve(play: Play) -> None:
    scene = play("openai", "http://provider.invalid/v1")
    assert scene.falls_back().outcome is AttemptOutcome.RETRYABLE
    assert (scene.breaker.bad, scene.breaker.told[0][1]) == ({Kind.PROVIDER}, "unreachable")


def test_a_connection_that_does_not_come_about(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of a server that takes no connection is full: the next one is never answered."""
    monkeypatch.setattr(provider_module, "_CONNECT_SECONDS", 0.3)
    with socket.socket() as listening, ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(address)
        scene = play("openai", f"http://127.0.0.1:{address[1]}/v1")
        assert scene.falls_back().outcome is AttemptOutcome.RETRYABLE
    assert (scene.breaker.bad, scene.breaker.told[0][1]) == ({Kind.PROVIDER}, "unreachable")


@every_wire
@pytest.mark.parametrize("behaviour", ["hang", "drip"])
@pytest.mark.parametrize("stream", [False, True])
def test_silence_and_a_slow_drip(play: Play, name: str, behaviour: str, stream: bool) -> None:
    scene = play(name, timeout=0.3)
    scene.server.play(getattr(scene.server, behaviour))
    failed = scene.falls_back(stream=stream)
    assert failed.outcome is AttemptOutcome.RETRYABLE
    assert (scene.breaker.bad, scene.breaker.told[0][1]) == ({Kind.MODEL}, "timeout")


@every_wire
@pytest.mark.parametrize(
    ("status", "outcome", "bad"),
    [
        (400, AttemptOutcome.FATAL, set()),
        (401, AttemptOutcome.FATAL, {Kind.KEY}),
        (402, AttemptOutcome.FATAL, set()),
        (403, AttemptOutcome.FATAL, {Kind.KEY}),
        (404, AttemptOutcome.FATAL, set()),
        (408, AttemptOutcome.RETRYABLE, {Kind.MODEL}),
        (409, AttemptOutcome.RETRYABLE, set()),
        (413, AttemptOutcome.FATAL, set()),
        (422, AttemptOutcome.FATAL, set()),
        (429, AttemptOutcome.RETRYABLE, set()),
        (500, AttemptOutcome.RETRYABLE, {Kind.MODEL}),
        (502, AttemptOutcome.RETRYABLE, {Kind.MODEL}),
        (503, AttemptOutcome.RETRYABLE, {Kind.MODEL}),
        (504, AttemptOutcome.RETRYABLE, {Kind.MODEL}),
        (529, AttemptOutcome.RETRYABLE, {Kind.MODEL}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_statuses(play: Play, name: str, status: int, outcome: AttemptOutcome, bad: set[Kind], stream: bool) -> None:
    scene = play(name)
    scene.server.play(scene.server.respond(status, {"error": {"message": f"{KEY} says no"}}))
    failed = scene.falls_back(stream=stream)
    assert (failed.outcome, failed.http_status) == (outcome, status)
    ((marks, said),) = scene.breaker.told
    assert scene.breaker.bad == bad
    assert (marks[Kind.PROVIDER], said) == (Mark.GOOD, f"HTTP {status}")


@every_wire
@pytest.mark.parametrize("status", [500, 503, 403])
def test_an_error_page_of_something_in_between(play: Play, name: str, status: int) -> None:
    scene = play(name)
    page = b"<html><title>Bad gateway</title>" + b"x" * 500_000
    scene.server.play(scene.server.respond(status, page, {"Content-Type": "text/html"}))
    assert scene.falls_back().error == f"HTTP {status}"


@every_wire
@pytest.mark.parametrize("pause", ["3", None])
def test_a_rate_limit_with_and_without_a_pause(play: Play, name: str, pause: str | None) -> None:
    scene = play(name)
    headers = {} if pause is None else {"Retry-After": pause}
    scene.server.play(scene.server.respond(429, {"error": {"message": "slow down"}}, headers))
    scene.server.play(scene.server.respond(503, {"error": {"message": "nor I"}}))
    with pytest.raises(AllCandidatesFailed) as caught:
        scene.dispatch()
    assert caught.value.retry_after == (None if pause is None else 3)
    assert scene.breaker.bad == set()


@every_wire
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>Welcome</html>", {"Content-Type": "text/html"}),
        (b"", {}),
        (b'{"choices": [{"message": {"cont', {}),
        (b'{"choices": "none", "content": 7, "candidates": {}}', {}),
        (b"\xff\xfe\x00", {}),
        (b"[]", {}),
        (b"null", {}),
        (b"{}", {"Content-Length": "5000"}),
    ],
    ids=["a page", "empty", "truncated JSON", "another shape", "no text", "a list", "null", "a body cut off"],
)
def test_what_is_no_answer(play: Play, name: str, body: bytes, headers: dict[str, str]) -> None:
    scene = play(name)
    scene.server.play(scene.server.respond(200, body, headers))
    failed = scene.falls_back()
    assert (failed.outcome, failed.http_status) == (AttemptOutcome.RETRYABLE, 200)
    assert "Welcome" not in (failed.error or "")
    assert scene.breaker.bad == {Kind.MODEL}
    assert scene.breaker.told[0][1] in {"unreadable answer", "connection broken"}


@every_wire
def test_a_connection_that_is_reset(play: Play, name: str) -> None:
    scene = play(name)
    scene.server.play(scene.server.reset)
    assert scene.falls_back().outcome is AttemptOutcome.RETRYABLE
    assert (scene.breaker.bad, scene.breaker.told[0][1]) == ({Kind.MODEL}, "connection broken")


@every_wire
def test_an_answer_without_end(play: Play, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_module, "MAX_ANSWER_BYTES", 1000)
    scene = play(name)
    scene.server.play(scene.server.respond(200, b" " * 5000))
    assert scene.falls_back().outcome is AttemptOutcome.FATAL
    assert scene.breaker.bad == set()


@every_wire
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>Welcome</html>", b": keep-alive\n\n", b"data: [DONE]\n\n"], ids=repr
)
def test_a_stream_in_which_nothing_is_said(play: Play, name: str, body: bytes) -> None:
    scene = play(name)
    scene.server.play(scene.server.respond(200, body, {"Content-Type": "text/event-stream"}))
    failed = scene.falls_back(stream=True)
    assert (failed.outcome, failed.http_status, scene.deltas) == (AttemptOutcome.RETRYABLE, 200, ["From the other"])
    assert scene.breaker.bad == {Kind.MODEL}


@every_wire
def test_an_error_before_the_first_piece(play: Play, name: str) -> None:
    scene = play(name)
    scene.server.play(scene.server.stream(ERROR_EVENT[name]))
    assert "too hot" in (scene.falls_back(stream=True).error or "")
    assert scene.breaker.bad == {Kind.MODEL}


def event(data: object) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


@every_wire
@pytest.mark.parametrize("ending", ["end", "reset", "hang", "error", "garbage"])
def test_after_the_first_piece_nobody_else_is_asked(play: Play, name: str, ending: str) -> None:
    scene = play(name, timeout=2.0 if ending == "hang" else 30.0)
    last = {"error": event(ERROR_EVENT[name]), "garbage": event("{not JSON")}.get(ending, b"")

    def then(handler: BaseHTTPRequestHandler) -> None:
        while not scene.deltas:
            scene.server.released.wait(0.01)
        handler.wfile.write(last)
        if ending in {"reset", "hang"}:
            getattr(scene.server, ending)(handler)

    scene.server.play(scene.server.stream(*FIRST_PIECE[name], then=then))
    with pytest.raises(AllCandidatesFailed) as caught:
        scene.dispatch(stream=True)
    (attempt,) = scene.recorded
    assert caught.value.attempts == (attempt,)
    assert (attempt.outcome, scene.deltas) == (AttemptOutcome.RETRYABLE, ["Hel"])
    assert len(scene.server.received) == 1
    _assert_metered(attempt, name)
    assert scene.breaker.bad == (set() if ending == "hang" else {Kind.MODEL})


@every_wire
def test_a_piece_that_was_never_passed_on_does_not_keep_another_from_answering(play: Play, name: str) -> None:
    """It came together with the error; what it cost is known all the same."""
    scene = play(name)
    body = b"".join(map(event, (*FIRST_PIECE[name], ERROR_EVENT[name])))
    scene.server.play(scene.server.respond(200, body, {"Content-Type": "text/event-stream"}))
    scene.server.play(scene.server.stream(*FALLBACK_EVENTS))
    assert scene.dispatch(stream=True).model is scene.house
    assert scene.deltas == ["From the other"]
    _assert_metered(scene.recorded[0], name)


def _assert_metered(attempt: Attempt, name: str) -> None:
    """As far as the provider had said by then what it used."""
    reported = {"openai": 0, "anthropic": 10, "google": 9}[name]
    assert (attempt.usage.total, attempt.cost_cents is not None) == (reported, reported > 0)


def test_a_stream_whose_answer_has_ended_needs_no_last_word(play: Play) -> None:
    scene = play("openai")
    scene.server.play(scene.server.stream(*FALLBACK_EVENTS[:-1]))
    assert scene.dispatch(stream=True).model is scene.model
    assert [marks for marks, _ in scene.breaker.told] == [dict.fromkeys(Kind, Mark.GOOD)]


def test_an_answer_of_another_type_is_read_all_the_same(play: Play) -> None:
    scene = play("openai")
    scene.server.play(scene.server.respond(200, json.dumps(FALLBACK).encode(), {"Content-Type": "text/plain"}))
    assert scene.dispatch().model is scene.model


KEYS_REFUSED: list[tuple[str, int, dict[str, Any]]] = [
    ("openai", 429, {"error": {"message": "pay first", "type": "insufficient_quota", "code": "insufficient_quota"}}),
    ("anthropic", 401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}),
    (
        "google",
        400,
        {
            "error": {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "API key not valid.",
                "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
            }
        },
    ),
]
NOT_THE_KEY: list[tuple[str, int, dict[str, Any]]] = [
    (
        "openai",
        403,
        {"error": {"message": "not that model", "code": "model_not_found", "type": "invalid_request_error"}},
    ),
    ("openai", 403, {"error": {"message": "flagged", "code": 403, "metadata": {"flagged_input": "…", "reasons": []}}}),
    ("google", 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": "of no known shape"}}),
]


@pytest.mark.parametrize(("name", "status", "body"), KEYS_REFUSED, ids=[case[0] for case in KEYS_REFUSED])
def test_each_providers_way_to_refuse_a_key(play: Play, name: str, status: int, body: dict[str, Any]) -> None:
    scene = play(name)
    scene.server.play(scene.server.respond(status, body))
    assert scene.falls_back().outcome is AttemptOutcome.FATAL
    assert scene.breaker.bad == {Kind.KEY}


@pytest.mark.parametrize(("name", "status", "body"), NOT_THE_KEY, ids=["model", "flagged", "request"])
def test_what_was_asked_is_no_fault_of_the_key(play: Play, name: str, status: int, body: dict[str, Any]) -> None:
    """Or whoever sends a prompt that is flagged could take the key from everybody."""
    scene = play(name)
    scene.server.play(scene.server.respond(status, body))
    assert scene.falls_back().outcome is AttemptOutcome.FATAL
    assert scene.breaker.bad == set()
