"""A batch stopped half-way goes on where it was: every line is answered once and none is paid for twice."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import KEY, Aico, FakeApi
from typer.testing import CliRunner

from aico.cli.batch import Run, read_lines, repair
from aico.cli.client import Client
from aico.cli.main import app
from aico.core.errors import Unavailable

LINES = 12


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"id": f"line {n}", "prompt": f"prompt {n}"}) + "\n" for n in range(LINES)))
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def _results(output: Path) -> dict[str, dict[str, Any]]:
    """By line; each line stands there once."""
    results = [json.loads(text) for text in output.read_text("utf-8").splitlines()]
    assert set(Counter(result["id"] for result in results).values()) <= {1}
    return {result["id"]: result for result in results}


def _stop_half_way(api: FakeApi, file: Path, output: Path) -> None:
    api.dies_after = LINES // 2
    lines = read_lines(file)
    with Client(api.url, KEY, patience_seconds=0.2) as client, pytest.raises(Unavailable):
        list(Run(client, output, 3).results(lines))
    assert len(api.jobs) == LINES // 2
    api.dies_after = None


def test_every_line_is_answered(aico: Aico, fake_api: FakeApi, file: Path, output: Path) -> None:
    outcome = aico("batch", str(file), "-o", str(output), "--concurrency", "3")
    assert (outcome.code, outcome.out) == (0, "")
    results = _results(output)
    assert {name: result["answer"]["text"] for name, result in results.items()} == {
        f"line {n}": f"PROMPT {n}" for n in range(LINES)
    }
    assert fake_api.keys == {f"Bearer {KEY}"}
    assert fake_api.received[0].keys() == {"prompt"}  # the id is the file's own


def test_a_stopped_run_goes_on(aico: Aico, fake_api: FakeApi, file: Path, output: Path) -> None:
    _stop_half_way(fake_api, file, output)
    assert len(_results(output)) < LINES // 2  # what was submitted last was not read before the end
    assert aico("batch", str(file), "-o", str(output)).code == 0
    assert len(_results(output)) == LINES
    assert set(fake_api.submitted.values()) == {1}


def test_lines_that_a_crash_cut_off_are_written_again(aico: Aico, fake_api: FakeApi, file: Path, output: Path) -> None:
    assert aico("batch", str(file), "-o", str(output)).code == 0
    whole = output.read_bytes()
    output.write_bytes(whole[:-10])
    journal = output.with_name("out.jsonl.jobs")
    with journal.open("ab") as notes:
        notes.write(b'{"id": "line 3", "jo')
    assert aico("batch", str(file), "-o", str(output)).code == 0
    assert len(_results(output)) == LINES
    assert output.read_bytes() == whole  # the last line again, from the job that it already had
    assert set(fake_api.submitted.values()) == {1}
    first, *notes_of_jobs = map(json.loads, journal.read_text().splitlines())
    assert first.keys() == {"run"}
    assert all(note["job"] for note in notes_of_jobs)


def test_a_finished_run_sends_nothing(aico: Aico, fake_api: FakeApi, file: Path, output: Path) -> None:
    for _ in range(2):
        assert aico("batch", str(file), "-o", str(output)).code == 0
    assert sum(fake_api.submitted.values()) == LINES


@pytest.mark.parametrize(("content", "kept"), [(b"", b""), (b"a\nb\n", b"a\nb\n"), (b"a\nb", b"a\n"), (b"a", b"")])
def test_repair_keeps_whole_lines(tmp_path: Path, content: bytes, kept: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(content)
    repair(path)
    assert path.read_bytes() == kept


def test_repair_makes_no_file(tmp_path: Path) -> None:
    repair(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_lines_that_fail_are_told_and_the_rest_is_answered(
    aico: Aico, fake_api: FakeApi, file: Path, output: Path
) -> None:
    fake_api.failing = {"prompt 4"}
    fake_api.refused = {"prompt 7"}
    outcome = CliRunner().invoke(app, ["batch", str(file), "-o", str(output)])
    assert outcome.exit_code == 1
    assert f"2 of {LINES} were not answered" in outcome.stderr
    results = _results(output)
    assert results["line 4"]["status"] == "failed"
    assert results["line 4"]["error"]["message"] == "nobody answers prompt 4"
    assert results["line 7"] == {"id": "line 7", "status": "refused", "error": {"message": "no prompt 7 here"}}
    assert sum("answer" in result for result in results.values()) == LINES - 2
