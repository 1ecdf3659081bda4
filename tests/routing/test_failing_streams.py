"""Every way in which a stream fails: before the first piece of an answer was passed on, and after."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any  # the scripted server is a fixture: conftest cannot be imported

import pytest
from routing.failing import ERROR_EVENT, FALLBACK, FALLBACK_EVENTS, FIRST_PIECE, Play, every_wire, scenes

from aico.core.attempts import Attempt, AttemptOutcome
from aico.routing.breaker import Kind, Mark
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed


@pytest.fixture
def play(server: Any, catalogue: Catalogue, make_model: Callable[..., Model]) -> Iterator[Play]:
    with scenes(server, catalogue, make_model) as made:
        yield made


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


@pytest.mark.parametrize(("name", "code"), [("openai", 336_003), ("openai", -1), ("google", 50_603)])
def test_a_number_of_the_providers_own_is_no_status(play: Play, name: str, code: int) -> None:
    """The ledger holds statuses, and whether a failure can be cured is not to be read off other numbers."""
    scene = play(name)
    scene.server.play(scene.server.stream({"error": {"code": code, "message": "too hot"}}))
    failed = scene.falls_back(stream=True)
    assert (failed.outcome, failed.http_status) == (AttemptOutcome.RETRYABLE, 200)


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
