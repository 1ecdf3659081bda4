"""`aico providers`: how they are, as the API says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cli.conftest import Aico, FakeApi
from rich.console import Console

from aico.cli.providers import render

NOTHING: dict[str, Any] = {"retry_at": None, "last_success_at": None, "last_error_at": None, "last_error": None}
OPENAI: dict[str, Any] = {
    **NOTHING,
    "name": "openai",
    "health": "degraded",
    "models": ["gpt-5.4", "gpt-5.4-nano"],
    "keys": [{"number": 1, "health": "healthy", **NOTHING}, {"number": 2, "health": "open", **NOTHING}],
    "unwell_models": [{"model": "gpt-5.4", "health": "open", **NOTHING}],
    "batch_lane": True,
    "last_success_at": "2026-11-20T12:00:00.123456Z",
    "last_error_at": "2026-11-20T12:00:05Z",
    "last_error": "HTTP 503",
}
CLOSED = {**OPENAI, "name": "google", "health": "open", "retry_at": "2026-11-20T12:00:30Z", "keys": []}
OFF = {**OPENAI, **NOTHING, "name": "cerebras", "health": "off", "keys": [], "unwell_models": [], "batch_lane": False}


@pytest.fixture
def found(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    body: dict[str, Any] = {"health_known": True, "providers": [OPENAI, CLOSED, OFF], "models": []}
    monkeypatch.setattr(fake_api, "respond", lambda *_: (200, body))
    return body


def test_each_provider_is_a_row(aico: Aico, found: dict[str, Any]) -> None:
    outcome = aico("providers")
    assert outcome.code == 0
    for said in ("degraded", "open, 0 s left", "2: 2 open", "HTTP 503", "off"):
        assert said in outcome.out, said
    assert "Redis" not in outcome.out


def test_times_are_told_from_now() -> None:
    now = datetime(2026, 11, 20, 12, 0, 10, tzinfo=UTC)
    console = Console(width=200)
    with console.capture() as shown:
        console.print(render([OPENAI, CLOSED, OFF], now))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.get().splitlines() if "│" in line]
    assert rows == [
        ["openai", "degraded", "2: 2 open", "2: gpt-5.4 open", "yes", "10 s ago", "HTTP 503, 5 s ago"],
        ["google", "open, 20 s left", "0", "2: gpt-5.4 open", "yes", "10 s ago", "HTTP 503, 5 s ago"],
        ["cerebras", "off", "0", "2", "-", "-", "-"],
    ]


def test_json_is_what_the_api_says(aico: Aico, found: dict[str, Any]) -> None:
    assert json.loads(aico("providers", "--json").out) == found


def test_while_redis_is_away_it_says_that_nobody_knows(aico: Aico, found: dict[str, Any]) -> None:
    found["health_known"] = False
    assert "Redis does not answer: how they are is not known." in aico("providers").out
