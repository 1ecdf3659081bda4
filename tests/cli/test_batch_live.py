"""A batch against the real API: what the command adds to its lines, and what a crash costs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Aico
from cli.live import Live, Network, living, losing
from conftest import Tenant

from aico.cli.batch import Run, read_lines
from aico.core.errors import Unavailable
from aico.core.jobs import JobStatus
from aico.core.settings import Settings
from aico.store.blocking import Database

LINES = 6


@pytest.fixture
def live(settings: Settings, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    with living(settings, tenant, database, monkeypatch) as found:
        yield found


@pytest.fixture
def network(live: Live) -> Iterator[Network]:
    with losing(live.url) as found:
        yield found


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def journal(output: Path) -> Path:
    return output.with_name("out.jsonl.jobs")


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def results(output: Path) -> dict[str, dict[str, Any]]:
    return {result["id"]: result for result in map(json.loads, output.read_text().splitlines())}


def lose(live: Live, network: Network, file: Path, output: Path, **defaults: str) -> list[dict[str, Any]]:
    """A run that submits every line and hears of none, and the jobs that there are then."""
    network.losses = 1_000_000
    with live.client(network.url, patience_seconds=0.2) as client, pytest.raises(Unavailable):
        list(Run(client, output, LINES, defaults).results(read_lines(file)))
    return live.all_jobs()


def test_a_batch_that_crashed_before_its_journal_knew_pays_once(
    aico: Aico, live: Live, network: Network, tmp_path: Path, output: Path
) -> None:
    file = written(tmp_path / "in.jsonl", *({"prompt": f"prompt {n}", "cache": "off"} for n in range(LINES)))
    submitted = {job["id"] for job in lose(live, network, file, output, **{"class": "batch"})}
    assert len(submitted) == LINES
    assert len(lose(live, network, file, output, **{"class": "batch"})) == LINES
    assert len(journal(output).read_text().splitlines()) == 1  # the run's own id
    for job in submitted:
        live.complete(job)
    assert aico("batch", str(file), "-o", str(output), "--class", "batch").code == 0
    assert {result["job"] for result in results(output).values()} == submitted
    assert {job["id"] for job in live.all_jobs()} == submitted


def test_without_its_journal_a_batch_is_asked_anew(live: Live, network: Network, tmp_path: Path, output: Path) -> None:
    file = written(tmp_path / "in.jsonl", {"prompt": "again", "cache": "off"})
    for expected in (1, 2):
        assert len(lose(live, network, file, output)) == expected
        journal(output).unlink()


def test_the_commands_class_and_due_time_are_for_lines_without(
    live: Live, network: Network, tmp_path: Path, output: Path
) -> None:
    own = {"class": "standard", "completion_window": "30m"}
    file = written(
        tmp_path / "in.jsonl", {"prompt": "plain"}, {"prompt": "own", **own}, {"prompt": "none", "deadline": None}
    )
    jobs = lose(live, network, file, output, **{"class": "batch", "deadline": _in_two_hours()})
    found = {(job["class"], _minutes(job)) for job in jobs}
    assert found == {("batch", 120), ("standard", 30), ("batch", 24 * 60)}


def test_how_lines_ended_is_told(aico: Aico, live: Live, tmp_path: Path, output: Path) -> None:
    names = ("done", "late", "gone", "broken")
    file = written(tmp_path / "in.jsonl", *({"id": name, "prompt": name} for name in names))
    jobs = {name: live.submit(name) for name in names}
    written(journal(output), *({"id": name, "job": job} for name, job in jobs.items()))
    live.complete(jobs["done"])
    live.end(jobs["late"], JobStatus.EXPIRED, "deadline_exceeded")
    live.end(jobs["broken"])
    assert aico("jobs", "cancel", jobs["gone"]).code == 0
    for _ in range(2):  # a second run finds the same in the output
        outcome = aico("batch", str(file), "-o", str(output))
        assert (outcome.code, outcome.out) == (1, "")
        told = " ".join(outcome.err.split())
        assert "3 of 4 were not answered (1 cancelled, 1 expired, 1 failed)" in told
    found = results(output)
    assert {name: found[name]["status"] for name in names} == {
        "done": "completed",
        "late": "expired",
        "gone": "cancelled",
        "broken": "failed",
    }
    assert found["late"]["error"]["code"] == "deadline_exceeded"


def test_a_fault_of_the_command_is_not_held_against_a_line(
    aico: Aico, live: Live, tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"id": "own", "prompt": "own", "deadline": "2020-01-01T00:00:00Z"}
    file = written(tmp_path / "in.jsonl", own, {"id": "plain", "prompt": "plain"})
    late = aico("batch", str(file), "-o", str(output), "--deadline", "2020-01-01T00:00:00Z", "--concurrency", "1")
    assert (late.code, "a deadline must be at least" in late.err) == (1, True)
    assert set(results(output)) == {"own"}
    assert results(output)["own"]["status"] == "refused"
    monkeypatch.setenv("AICO_API_KEY", "aico_live_nobody")
    stranger = aico("batch", str(file), "-o", str(output))
    assert (stranger.code, "error:" in stranger.err) == (1, True)
    assert set(results(output)) == {"own"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            ("--deadline", "2099-01-01T00:00:00Z", "--completion-window", "1h"),
            "either --deadline or --completion-window",
        ),
        (("--deadline", "tomorrow"), "time zone"),
        (("--completion-window", "1.5h"), "no span of time"),
        (("--class", "urgent"), "'urgent'"),
    ],
)
def test_a_command_that_makes_no_sense_sends_nothing(
    aico: Aico, live: Live, tmp_path: Path, output: Path, options: tuple[str, ...], reason: str
) -> None:
    file = written(tmp_path / "in.jsonl", {"prompt": "stays here"})
    outcome = aico("batch", str(file), "-o", str(output), *options)
    assert outcome.code == 2
    assert reason in " ".join(outcome.err.replace("│", " ").split())
    assert live.all_jobs() == []


def _in_two_hours() -> str:
    return (datetime.now(UTC) + timedelta(hours=2)).isoformat()


def _minutes(job: dict[str, Any]) -> int:
    """From its creation to its deadline."""
    created, deadline = (datetime.fromisoformat(job[name]) for name in ("created_at", "deadline"))
    return round((deadline - created).total_seconds() / 60)
