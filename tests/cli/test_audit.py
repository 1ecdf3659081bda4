"""`aico audit`, as a command."""

import json
from pathlib import Path
from typing import Any

import pytest
from audit.logs import generation, pair, spend, traffic, write
from cli.conftest import Aico

from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue

PROMPT = "Do you sell the blue tent with seven poles?"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [pair(PROMPT), pair(PROMPT, second=60), spend("A", second=120), generation("B", second=180), {"odd": 1}]
    return write(tmp_path / "log.jsonl", lines)


def figures(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_the_figures_are_printed_with_what_was_not_read(aico: Aico, log: Path) -> None:
    done = aico("audit", str(log), "--no-embeddings")
    assert done.code == 0
    assert "4 calls, 2026-10-05 09:00 to 2026-10-05 09:03 UTC, cost $0.018000" in done.out
    assert "identical requests" in done.out
    assert "together" in done.out
    assert "1 lines could not be read" in done.err
    assert f"{log}:5: the line is in no format that is known" in done.err


def test_no_word_of_a_prompt_is_written_unless_examples_are_asked_for(aico: Aico, log: Path, tmp_path: Path) -> None:
    done = aico("audit", str(log), "--no-embeddings", "--config", "aico.env")
    shown = done.out + done.err + "".join(path.read_text() for path in tmp_path.iterdir() if path != log)
    assert "tent" not in shown
    asked = aico("audit", str(log), "--no-embeddings", "--examples", "--json")
    assert f"identical: '{PROMPT}'" in asked.err
    assert "tent" not in asked.out


def test_the_json_has_the_fields_that_programs_rely_on(aico: Aico, log: Path) -> None:
    report = figures(aico("audit", str(log), "--no-embeddings", "--json").out)
    assert report["version"] == 2
    assert set(report) == {
        *("version", "lines", "log", "parts", "total", "evidence", "question", "notes", "warnings"),
    }
    assert [part["name"] for part in report["parts"]] == ["exact", "semantic", "route", "prefix", "batch"]
    for part in (*report["parts"], report["total"]):
        assert set(part) == {"name", "calls", "cents", "share", "alone"}
        assert set(part["cents"]) == {"cautious", "hopeful", "low", "high"}
    assert (report["log"]["cents"], report["parts"][0]["cents"]["hopeful"]) == ("1.800000", "0.400000")
    assert (report["lines"]["calls"], report["lines"]["unreadable"]) == (4, 1)
    assert report["lines"]["formats"] == {"langfuse": 1, "litellm": 1, "openai": 2}


def test_the_configuration_is_one_that_the_service_takes(
    aico: Aico, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "log.jsonl", [*traffic(300, repeats=0.5, sessions=40, seed=2)])
    assert aico("audit", str(path), "--no-embeddings", "--config", "aico.env", "--ttl", "3d").code == 0
    written = Path("aico.env").read_text()
    monkeypatch.delenv("HOLDOUT_SHARE", raising=False)  # off in the tests of everything else
    settings = Settings(_env_file="aico.env")  # type: ignore[call-arg] # pydantic-settings' own
    assert settings.baseline_model == "gpt-5.4"
    assert settings.cache_ttl_seconds in {3600, 21_600, 86_400}
    assert settings.baseline_model in Catalogue.from_settings(settings).known
    assert settings.holdout_share == pytest.approx(0.05)
    assert "aico tenants policy TENANT --strategy hybrid" in written
    active = [line for line in written.splitlines() if line and not line.startswith("#")]
    assert all(line.partition("=")[0].lower() in Settings.model_fields for line in active)
    assert "took most of the money" in written


def test_a_file_that_no_audit_wrote_is_not_replaced(aico: Aico, log: Path) -> None:
    Path("own.env").write_text("GEMINI_API_KEY=a-secret\n")
    done = aico("audit", str(log), "--no-embeddings", "--config", "own.env")
    assert (done.code, done.out) == (2, "")
    assert "own.env is there, and no audit wrote it" in done.err
    assert Path("own.env").read_text() == "GEMINI_API_KEY=a-secret\n"
    for _ in range(2):
        assert aico("audit", str(log), "--no-embeddings", "--config", "aico.env").code == 0


def test_a_model_that_nobody_describes_is_described_beside_it(aico: Aico, tmp_path: Path) -> None:
    write(tmp_path / "log.jsonl", [pair("A", model="gpt-4o-2024-08-06"), pair("B", model="gpt-4o-2024-08-06")])
    assert aico("audit", "log.jsonl", "--no-embeddings", "--config", "aico.env").code == 0
    settings = Settings(_env_file="aico.env")  # type: ignore[call-arg] # pydantic-settings' own
    assert settings.catalogue_file == Path("aico.env.toml")
    catalogue = Catalogue.from_settings(settings)
    described = next(model for model in catalogue.all_models if model.id == settings.baseline_model)
    assert (described.provider, described.quality) == ("openai", 0.0)


def test_a_models_name_in_a_log_sets_nothing_but_the_baseline(aico: Aico, tmp_path: Path) -> None:
    write(tmp_path / "log.jsonl", [pair("A", model="claude-3-opus\nCACHE_TTL_SECONDS=1\n")])
    assert aico("audit", "log.jsonl", "--no-embeddings", "--config", "aico.env").code == 0
    settings = Settings(_env_file="aico.env")  # type: ignore[call-arg] # pydantic-settings' own argument
    assert settings.cache_ttl_seconds != 1
    assert settings.baseline_model in Catalogue.from_settings(settings).known  # the file beside it is TOML


@pytest.mark.parametrize("text", ["", "\n\n", "nonsense\n"], ids=["empty", "blank", "nonsense"])
def test_nothing_that_could_be_read_is_an_error(aico: Aico, tmp_path: Path, text: str) -> None:
    (tmp_path / "log.jsonl").write_text(text)
    done = aico("audit", "log.jsonl", "--no-embeddings")
    assert (done.code, done.out) == (2, "")
    assert "no call could be read" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gone.jsonl",), "cannot read gone.jsonl"),
        (("log.jsonl", "--providers", "openai,nobody"), "there is no nobody"),
        (("log.jsonl", "--ttl", "soon"), "no span of time"),
        (("log.jsonl", "--threshold", "2"), "threshold"),
        (("log.jsonl", "--format", "csv"), "csv"),
        (("log.jsonl", "--config", "no/such/folder"), "cannot write"),
        ((), "Missing argument"),
    ],
    ids=["file", "provider", "span", "threshold", "format", "folder", "none"],
)
def test_a_command_that_cannot_be_meant_says_why(aico: Aico, log: Path, arguments: tuple[str, ...], said: str) -> None:
    done = aico("audit", *arguments, "--no-embeddings")
    assert done.code == 2
    assert said in done.err


def test_a_named_format_is_not_guessed(aico: Aico, log: Path) -> None:
    report = figures(aico("audit", str(log), "--no-embeddings", "--json", "--format", "langfuse").out)
    assert report["lines"]["formats"] == {"langfuse": 1}  # LiteLLM's line has no `input`, and so no messages


def test_help_tells_the_exit_codes(aico: Aico) -> None:
    done = aico("audit", "--help")
    assert done.code == 0
    assert "Exit code 0" in done.out
