"""Logs say what happened and where, and never what was asked."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from builders import chat
from celery import Celery
from pydantic import ValidationError

from aico.core.chat import ChatRequest
from aico.core.logs import configure_logging

MARK = "heliotrope-4712"


Logged = Callable[[], str]


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Logged]:
    """What this process has written to its standard error; afterwards logging is as it was before."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook
    written: list[str] = []

    def read() -> str:
        written.append(capsys.readouterr().err)
        return "".join(written)

    yield read
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()


def refused() -> None:
    """Raises what shows its input."""
    try:
        ChatRequest.model_validate({**chat("x").model_dump(), "messages": MARK})
    except ValidationError as error:
        raise ValueError(f"cannot read {MARK}: {error}") from error


def events(logged: Logged) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in logged().splitlines()]
    assert found
    return found


def test_an_exception_is_logged_with_its_types_and_lines_and_without_its_words(logged: Logged) -> None:
    configure_logging("INFO")
    try:
        refused()
    except ValueError:
        structlog.get_logger().exception("it_failed")
        logging.getLogger("somebody").exception("it failed")
    assert MARK not in logged()
    for event in events(logged):
        assert "builtins.ValueError" in event["exception"]
        assert "ValidationError" in event["exception"]
        assert "in refused" in event["exception"]


def test_at_the_level_debug_the_words_are_there(logged: Logged) -> None:
    configure_logging("DEBUG")
    try:
        refused()
    except ValueError:
        structlog.get_logger().exception("it_failed")
    assert f"cannot read {MARK}" in events(logged)[0]["exception"]


def test_a_task_that_fails_is_named_without_the_words_of_its_failure(logged: Logged) -> None:
    app = Celery("x", broker="memory://", set_as_current=False)

    @app.task(name="failing")
    def failing() -> None:
        refused()

    configure_logging("INFO")
    failing.apply()
    assert MARK not in logged()
    (event,) = events(logged)
    assert event["event"].startswith("Task failing[")
    assert "in refused" in event["exception"]


def test_a_thread_and_a_process_that_die_leave_no_words(logged: Logged) -> None:
    configure_logging("INFO")
    thread = threading.Thread(target=refused, name="doomed")
    thread.start()
    thread.join()
    try:
        refused()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert MARK not in logged()
    assert [event["event"] for event in events(logged)] == ["thread_died", "process_died"]


def test_an_exception_that_refers_to_itself_ends(logged: Logged) -> None:
    configure_logging("INFO")
    first, second = ValueError("a"), TypeError("b")
    first.__context__, second.__context__ = second, first
    structlog.get_logger().error("it_failed", exc_info=first)
    assert "TypeError" in events(logged)[0]["exception"]
