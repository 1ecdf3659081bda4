"""`aico jobs` against the real API: listed, looked at, cancelled, replayed."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cli.conftest import Aico
from cli.live import Live, living
from conftest import Tenant

from aico.cli.show import out
from aico.core.ids import new_id
from aico.core.jobs import JobStatus
from aico.core.settings import Settings
from aico.store.blocking import Database


@pytest.fixture
def live(settings: Settings, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    with living(settings, tenant, database, monkeypatch) as found:
        yield found


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A person at a terminal who types this."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text))


def row(table: str, job: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if job in line]
    return [cell.strip() for cell in line.strip("│").split("│")]


def errors(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_jobs_are_a_table_newest_first(aico: Aico, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "width", 200)
    waiting = live.submit("waits", completion_window="90m")
    done, dead = live.submit("done", **{"class": "batch"}), live.submit("fails")
    live.complete(done)
    live.end(dead, code="no_[b]answer")
    outcome = aico("jobs", "ls")
    assert outcome.code == 0
    assert [line.split("│")[1].strip() for line in outcome.out.splitlines() if waiting[:8] in line] == [
        dead,
        done,
        waiting,
    ]
    assert row(outcome.out, waiting)[1:3] == ["queued, route", "interactive"]
    assert row(outcome.out, waiting)[4:] == ["90 min", "0", "auto", ""]
    assert row(outcome.out, done)[1:3] == ["completed", "batch"]
    assert row(outcome.out, done)[4:] == ["", "0", "smollm2-135m", ""]
    assert row(outcome.out, dead)[1] == "failed"
    assert row(outcome.out, dead)[4:] == ["", "0", "auto", "no_[b]answer"]


def test_a_list_is_filtered(aico: Aico, live: Live) -> None:
    batch, plain = live.submit("a", **{"class": "batch"}), live.submit("b")
    (dead,) = live.dead(1, code="odd")
    (other,) = live.dead(1, code="even", **{"class": "batch"})

    def listed(*options: str) -> list[str]:
        return aico("jobs", "ls", "--ids", *options).out.split()

    assert listed() == [other, dead, plain, batch]
    assert listed("--status", "queued") == [plain, batch]
    assert listed("--class", "batch") == [other, batch]
    assert listed("--dead") == [other, dead]
    assert listed("--dead", "--status", "expired") == []
    assert listed("--dead", "--error-code", "odd") == [dead]
    assert listed("--dead", "--class", "batch") == [other]


def test_a_list_ends_at_its_limit_and_says_so(aico: Aico, live: Live) -> None:
    first, second, third = (live.submit(f"listed {number}") for number in range(3))
    cut = aico("jobs", "ls", "--ids", "--limit", "2")
    assert cut.out.split() == [third, second]
    assert "--limit" in cut.err
    assert aico("jobs", "ls", "--limit", "3").err == ""
    found = json.loads(aico("jobs", "ls", "--json", "--limit", "2").out)
    assert ([job["id"] for job in found["data"]], found["has_more"]) == ([third, second], True)
    assert json.loads(aico("jobs", "ls", "--json").out)["data"][-1]["id"] == first


def test_everything_about_a_job(aico: Aico, live: Live) -> None:
    job = live.submit("held", metadata={"team": "[b]a[/b]"}, completion_window="90m")
    live.hold(job, 3600)
    shown = errors(aico("jobs", "show", job).out)
    found = json.loads(aico("jobs", "show", job, "--json").out)
    until = f"{datetime.fromisoformat(found['run_after']).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    for text in (
        job,
        f"status queued, held until {until}",
        "metadata team=[b]a[/b]",
        "(90 min left)",
        "retries 1",
        f"rate_limited: the provider said 429; held until {until}",
    ):
        assert text in shown
    assert found["history"][0]["reason"] == "rate_limited"


def test_how_an_answer_came_about(aico: Aico, live: Live) -> None:
    job = live.submit("answered")
    live.complete(job)
    shown = errors(aico("jobs", "show", job).out)
    for text in ("status completed", "called, local/smollm2-135m, cost", "strategy complexity", "answer Paris."):
        assert text in shown


def test_why_a_job_failed_and_what_answers_it_anew(aico: Aico, live: Live) -> None:
    (dead,) = live.dead(1)
    new = aico("jobs", "replay", dead).out.strip()
    shown = errors(aico("jobs", "show", dead).out)
    assert "error no_answer: nobody [b]answered[/b]" in shown
    assert f"replayed as {new}" in shown
    assert f"replay of {dead}" in errors(aico("jobs", "show", new).out)
    assert dead not in aico("jobs", "ls", "--dead").out


def test_each_cancellation_is_told(aico: Aico, live: Live) -> None:
    one, two, done = (live.submit(f"cancel {number}") for number in range(3))
    live.complete(done)
    both = aico("jobs", "cancel", one, two)
    assert (both.code, both.out, both.err) == (0, f"{one} cancelled\n{two} cancelled\n", "")
    unknown = str(new_id())
    mixed = aico("jobs", "cancel", done, one, unknown)
    assert (mixed.code, mixed.out) == (1, f"{one} cancelled\n")
    assert mixed.err == f"{done} not: the job is completed already\n{unknown} not: there is no job {unknown}\n"


def test_letters_are_replayed_singly(aico: Aico, live: Live) -> None:
    first, second = live.dead(2)
    waiting = live.submit("alive")
    outcome = aico("jobs", "replay", first, waiting, second)
    assert outcome.code == 1
    assert [live.job(job)["replay_of"] for job in outcome.out.split()] == [first, second]
    assert outcome.err.startswith(f"{waiting} not: the job is queued")


def test_letters_are_replayed_by_filter(aico: Aico, live: Live) -> None:
    chosen, other = live.dead(3, code="odd"), live.dead(1, code="even")
    outcome = aico("jobs", "replay", "--error-code", "odd", "--status", "failed", "--since", "1h", "--yes")
    assert outcome.code == 0
    assert [live.job(job)["replay_of"] for job in outcome.out.split()] == chosen
    assert "Replayed 3." in outcome.err
    assert aico("jobs", "ls", "--dead", "--ids").out.split() == other


def test_times_choose_letters(aico: Aico, live: Live) -> None:
    live.dead(1)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for options in (("--before", "1h"), ("--since", tomorrow), ("--status", "expired"), ("--class", "batch")):
        outcome = aico("jobs", "replay", *options, "--yes")
        assert (outcome.code, outcome.out) == (0, "")
    assert len(aico("jobs", "replay", "--before", tomorrow, "--yes").out.split()) == 1


def test_all_are_replayed_up_to_the_limit(aico: Aico, live: Live) -> None:
    dead = live.dead(2)
    live.end(live.submit("too late"), JobStatus.EXPIRED)
    cut = aico("jobs", "replay", "--all", "--limit", "1", "--yes")
    assert [live.job(job)["replay_of"] for job in cut.out.split()] == dead[:1]
    assert "There may be more" in cut.err
    rest = aico("jobs", "replay", "--all", "-y")
    assert len(rest.out.split()) == 2
    assert "There may be more" not in rest.err
    assert aico("jobs", "replay", "--all", "-y").out == ""


def test_a_person_is_asked_and_told_how_many(aico: Aico, live: Live, types: Callable[[str], None]) -> None:
    live.dead(3)
    for no in ("n\n", "\n", ""):
        types(no)
        refused = aico("jobs", "replay", "--all")
        assert (refused.code, refused.out) == (1, "")
        assert "Replay 3 of your jobs?" in refused.err
    assert len(aico("jobs", "ls", "--dead", "--ids").out.split()) == 3
    types("y\n")
    agreed = aico("jobs", "replay", "--since", "1h", "--before", "2099-01-01T00:00:00Z", "--limit", "2")
    assert "Replay 2 of your jobs?" in agreed.err
    assert (agreed.code, len(agreed.out.split())) == (0, 2)


def test_nobody_is_asked_about_nothing(aico: Aico, live: Live, types: Callable[[str], None]) -> None:
    live.dead(1)
    types("")
    outcome = aico("jobs", "replay", "--before", "1h")
    assert (outcome.code, outcome.out) == (0, "")
    assert "Replayed 0." in outcome.err
    assert aico("jobs", "replay", "--since", "2099-01-01T00:00:00Z").out == ""


def test_where_nobody_can_be_asked_yes_is_required(aico: Aico, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.dead(1)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    outcome = aico("jobs", "replay", "--all")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--yes" in outcome.err
    assert len(aico("jobs", "ls", "--dead", "--ids").out.split()) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("ls", "--error-code", "x"), "goes with --dead"),
        (("ls", "--dead", "--status", "queued"), "--status is failed or expired"),
        (("ls", "--status", "dead"), "'dead'"),
        (("ls", "--ids", "--json"), "either --ids or --json"),
        (("ls", "--limit", "0"), "greater than or equal to 1"),
        (("show", "not-an-id"), "valid UUID"),
        (("cancel",), "ID"),
        (("cancel", "not-an-id"), "valid UUID"),
        (("replay",), "one of the three"),
        (("replay", "--yes"), "one of the three"),
        (("replay", "--all", "--status", "failed"), "one of the three"),
        (("replay", str(new_id()), "--all"), "one of the three"),
        (("replay", "--status", "completed"), "completed"),
        (("replay", "--since", "yesterday"), "'yesterday' is no date and time with a time zone"),
        (("replay", "--since", "2026-11-01T09:00:00"), "time zone"),
        (("replay", "--before", "0h"), "time zone"),
        (("replay", "--before", "999999d"), "before the calendar begins"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_sent(
    aico: Aico, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str
) -> None:
    monkeypatch.setenv("COST_OPTIMIZER_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AICO_API_KEY", "aico_live_nobody")
    outcome = aico("jobs", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in errors(outcome.err)
    assert "Traceback" not in outcome.err


def test_what_is_not_there_is_a_plain_error(aico: Aico, live: Live) -> None:
    for command in ("show", "replay"):
        outcome = aico("jobs", command, str(new_id()))
        assert (outcome.code, outcome.out) == (1, "")
        assert "there is no job" in outcome.err
