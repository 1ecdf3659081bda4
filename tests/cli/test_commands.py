"""Every command explains itself; answers go to standard output, everything else to standard error."""

import io
import json
import subprocess
import sys

import pytest
import typer
from cli.conftest import KEY, Aico, FakeApi
from typer.testing import CliRunner

from aico import __version__
from aico.cli.main import app
from aico.workers.app import WORKERS


def _commands(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The command and everything below it."""
    below: dict[str, object] = getattr(command, "commands", {})
    return [path, *(found for name, child in below.items() for found in _commands(child, (*path, name)))]


COMMANDS = _commands(typer.main.get_command(app))


def test_no_command_is_missed() -> None:
    expected = {"up", "demo", "submit", "watch", "batch", "report", "doctor", "migrate", "serve", "worker", "sweep"}
    assert {path[0] for path in COMMANDS if path} >= {*expected, "flower", "health", "keys"}
    assert {("keys", name) for name in ("create", "ls", "revoke")} <= set(COMMANDS)
    assert {("jobs", name) for name in ("ls", "show", "cancel", "replay")} <= set(COMMANDS)
    assert {("tenants", name) for name in ("share", "shares")} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(aico: Aico, path: tuple[str, ...]) -> None:
    outcome = aico(*path, "--help")
    assert outcome.code == 0
    assert "Usage:" in outcome.out
    assert outcome.err == ""


def test_a_group_is_listed_by_the_name_it_is_called_by(aico: Aico) -> None:
    listed = aico("--help").out
    assert all(f" {path[0]} " in listed for path in COMMANDS if path)


def test_a_command_loads_no_more_than_it_needs() -> None:
    """Each process of the product begins with this module, and is begun again after each crash."""
    probe = "import sys, aico.cli.main; print([name for name in ('fastapi', 'celery', 'mcp') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_workers_load_nothing_of_the_api() -> None:
    """It would double their memory, and the time that they take to start."""
    modules = ", ".join(kind.module for kind in WORKERS.values())
    probe = f"import sys, aico.cli.processes, {modules}; print([n for n in ('fastapi', 'mcp') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_mistyped_command_is_told_which_there_is(aico: Aico) -> None:
    outcome = aico("workr", "route")
    assert outcome.code == 2
    assert "Did you mean 'worker'?" in outcome.err


def test_the_version(aico: Aico) -> None:
    assert aico("--version").out.strip() == __version__


def test_an_answer_goes_to_standard_output_and_how_to_standard_error(aico: Aico, fake_api: FakeApi) -> None:
    outcome = aico("submit", "hello", "--system", "be brief", "--max-tokens", "9", "--class", "standard")
    assert (outcome.code, outcome.out) == (0, "HELLO\n")
    assert outcome.err.strip() == "called, local/small, cost $0.005000, saved $0.015000 against large"
    assert fake_api.received == [
        {"prompt": "hello", "model": "auto", "class": "standard", "system": "be brief", "max_tokens": 9}
    ]
    assert KEY not in outcome.out + outcome.err


def test_what_is_given_is_sent_and_nothing_else(aico: Aico, fake_api: FakeApi) -> None:
    asked = {"prompt": "hello", "model": "auto", "class": "interactive"}
    aico("submit", "hello", "--priority", "0", "--max-retries", "0", "--completion-window", "24h")
    aico("submit", "hello", "--priority", "-5", "--deadline", "2099-11-01T10:00:00+01:00", "--system", "")
    assert fake_api.received == [
        {**asked, "priority": 0, "max_retries": 0, "completion_window": "24h"},
        {**asked, "priority": -5, "deadline": "2099-11-01T10:00:00+01:00"},
    ]


def test_the_whole_job_as_json(aico: Aico, fake_api: FakeApi) -> None:
    outcome = aico("submit", "hello", "--json")
    assert json.loads(outcome.out)["answer"]["text"] == "HELLO"
    assert outcome.err == ""


def test_without_waiting_the_id_is_printed_and_can_be_watched(aico: Aico, fake_api: FakeApi) -> None:
    job = aico("submit", "later", "--no-wait").out.strip()
    assert job == "job-0"
    assert aico("watch", job).out == "LATER\n"


def test_a_prompt_from_standard_input(aico: Aico, fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("piped"))
    assert aico("submit", "-").out == "PIPED\n"


def test_a_prompt_that_is_no_text_is_refused(aico: Aico, fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8"))
    for prompt in ("-", "\udcff"):
        outcome = aico("submit", prompt)
        assert (outcome.code, outcome.out, outcome.err) == (2, "", "error: the prompt is not UTF-8\n")
    assert fake_api.received == []


def test_a_refusal_is_one_line(aico: Aico, fake_api: FakeApi) -> None:
    fake_api.refused = {"this"}
    outcome = aico("submit", "this")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "error: no this here\n")


def test_a_job_that_failed_says_why(aico: Aico, fake_api: FakeApi) -> None:
    fake_api.failing = {"this"}
    outcome = CliRunner().invoke(app, ["submit", "this"])
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert outcome.stderr.strip() == "failed: nobody answers this"


def test_without_a_key_the_remedy_is_named(aico: Aico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AICO_API_KEY", raising=False)
    outcome = aico("submit", "hello")
    assert outcome.code == 1
    assert "AICO_API_KEY" in outcome.err


def test_a_part_that_does_not_exist(aico: Aico) -> None:
    for command in ("worker", "health"):
        outcome = aico(command, "nobody")
        assert outcome.code == 2
        assert "'nobody'" in outcome.err


def test_the_script_passes_a_commands_exit_code_on(aico: Aico, fake_api: FakeApi) -> None:
    fake_api.failing = {"this"}
    assert aico("submit", "this").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("submit",),
        ("submit", "x", "--max-tokens", "0"),
        ("submit", "x", "--max-retries", "-1"),
        ("submit", "x", "--priority", "high"),
        ("submit", "x", "--class", "urgent"),
        ("submit", "x", "--deadline", "2099-11-01"),
        ("submit", "x", "--completion-window", "0h"),
        ("submit", "x", "--completion-window", "1h", "--deadline", "2099-11-01T10:00:00Z"),
        ("submit", "x", "--idempotency-key", "caf\u00e9"),
    ],
)
def test_a_command_that_makes_no_sense_is_told_so_in_words(
    aico: Aico, fake_api: FakeApi, arguments: tuple[str, ...]
) -> None:
    outcome = aico(*arguments)
    assert outcome.code == 2
    assert fake_api.received == []
    assert "Traceback" not in outcome.err
