"""`aico queues`: what it shows, and its exit code for scripts."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Aico, FakeApi

from aico.cli.queues import age, count

QUEUE = {"waiting": 0, "admitted": 0, "running": 0, "held": 0, "lane": 0, "oldest_seconds": 0.0}
WELL: dict[str, Any] = {
    "status": "ok",
    "checks": {"postgres": "ok", "redis": "ok", "progress": "ok"},
    "queues": [
        {"class": "interactive", **QUEUE, "running": 7},
        {"class": "batch", **QUEUE, "waiting": 10_000, "admitted": 21, "held": 34, "lane": 55, "oldest_seconds": 7300},
    ],
    "workers": [
        {"name": "route", "processes": 2, "slots": 64, "busy": 28, "seconds_since_progress": 1.2},
        {"name": "sweep", "processes": 1, "slots": 0, "busy": 0, "seconds_since_progress": 0.4},
    ],
}
STALLED = {**WELL, "status": "degraded", "checks": {**WELL["checks"], "worker embed": "missing", "progress": "stalled"}}


@pytest.fixture
def say(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(status: int, body: dict[str, Any]) -> None:
        monkeypatch.setattr(fake_api, "respond", lambda *_: (status, body))

    return make


def cells(out: str, first: str) -> list[str]:
    (line,) = [line for line in out.splitlines() if line.startswith("│") and line.split("│")[1].strip() == first]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_classes_and_workers_are_tables(aico: Aico, say: Any) -> None:
    say(200, WELL)
    outcome = aico("queues")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "ok"
    assert cells(outcome.out, "interactive") == ["interactive", "0", "0", "7", "0", "0", "0 s"]
    assert cells(outcome.out, "batch") == ["batch", "10,000+", "21", "0", "34", "55", "2 h"]
    assert cells(outcome.out, "route") == ["route", "2", "64", "28", "1 s ago"]
    assert cells(outcome.out, "sweep") == ["sweep", "1", "-", "-", "0 s ago"]


def test_a_stall_is_named_and_fails(aico: Aico, say: Any) -> None:
    say(200, STALLED)
    outcome = aico("queues")
    assert outcome.code == 1
    assert outcome.out.splitlines()[0] == "degraded: progress stalled, worker embed missing"


def test_down_is_a_503_and_fails(aico: Aico, say: Any) -> None:
    say(503, {"status": "down", "checks": {"postgres": "unreachable"}, "queues": [], "workers": []})
    outcome = aico("queues")
    assert (outcome.code, outcome.out.splitlines()[0]) == (1, "down: postgres unreachable")


def test_json_is_what_the_api_said(aico: Aico, say: Any) -> None:
    say(200, STALLED)
    outcome = aico("queues", "--json")
    assert (outcome.code, json.loads(outcome.out)) == (1, STALLED)


def test_no_api_is_one_line(aico: Aico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COST_OPTIMIZER_API_URL", "http://127.0.0.1:9")
    outcome = aico("queues")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no API answers" in outcome.err


def test_json_does_not_watch(aico: Aico, say: Any) -> None:
    say(200, WELL)
    assert aico("queues", "--json", "--watch").code == 2


def test_watching_refreshes_until_it_is_interrupted(fake_api: FakeApi, say: Any, tmp_path: Path) -> None:
    say(200, WELL)
    ours, theirs = pty.openpty()
    # Whoever starts the tests in the background may have had it ignore Ctrl-C.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    run = f"{heed}; import typer; from aico.cli.queues import queues; typer.run(queues)"
    argv = [sys.executable, "-c", run, "--watch"]
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    process = subprocess.Popen(argv, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path)
    os.close(theirs)
    try:
        read_until(ours, b"28")
        say(200, STALLED)
        read_until(ours, b"progress stalled")
        process.send_signal(signal.SIGINT)
        read_to_the_end(ours)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, wanted: bytes) -> None:
    give_up, seen = time.monotonic() + 20, b""
    while wanted not in seen:
        assert time.monotonic() < give_up, seen
        seen += os.read(terminal, 4096)


def read_to_the_end(terminal: int) -> None:
    """A terminal that nobody reads fills up, and whoever writes to it waits."""
    with contextlib.suppress(OSError):  # as the end is told
        while os.read(terminal, 4096):
            pass


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0 s"), (119.4, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_ages_are_readable(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_counts_stop_at_ten_thousand() -> None:
    assert [count(9_999), count(10_000)] == ["9999", "10,000+"]
