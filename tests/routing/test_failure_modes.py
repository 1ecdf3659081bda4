"""Every way in which a provider fails, by wire format, against a server on this machine.

What kind of failure it is, whether the next candidate is asked, what the ledger is told, and what the breakers learn.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any  # the scripted server is a fixture: conftest cannot be imported

import pytest
from routing.failing import KEY, Play, every_wire, scenes

from aico.core.attempts import AttemptOutcome
from aico.routing.breaker import Kind, Mark
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed
from aico.routing.providers import provider as provider_module


@pytest.fixture
def play(server: Any, catalogue: Catalogue, make_model: Callable[..., Model]) -> Iterator[Play]:
    with scenes(server, catalogue, make_model) as made:
        yield made


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
