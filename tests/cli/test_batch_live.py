"""`aico batch` against the real API and batch worker: every line is answered once, whatever stops the command."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli.batching import Player, playing
from cli.conftest import Aico
from cli.live import Live, Network, living, losing
from conftest import Postgres, Tenant

from aico.cli import batch_run
from aico.cli.batch_run import repair
from aico.core.jobs import JobClass
from aico.core.settings import Settings
from aico.store.blocking import Database

LINES = 12


@pytest.fixture
def live(settings: Settings, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr(batch_run, "_LONGEST_PAUSE_SECONDS", 0.05)
    with living(settings, tenant, database, monkeypatch) as found:
        yield found


@pytest.fixture
def player(live: Live, settings: Settings, postgres: Postgres) -> Iterator[Player]:
    with playing(live, settings, postgres.admin_url) as found:
        yield found


@pytest.fixture
def network(live: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    with losing(live.url) as found:
        monkeypatch.setenv("COST_OPTIMIZER_API_URL", found.url)
        yield found


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, *({"id": f"line {n}", "prompt": f"prompt {n}", "cache": "off"} for n in range(LINES)))


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def results(output: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in output.read_text("utf-8").splitlines()]


def journal(output: Path) -> list[str]:
    """What each of its entries is about."""
    return [next(iter(json.loads(text))) for text in output.with_name("out.jsonl.batch").read_text().splitlines()]


def test_every_line_is_answered_in_the_order_of_the_file(aico: Aico, player: Player, file: Path, output: Path) -> None:
    outcome = aico("batch", str(file), "-o", str(output))
    assert (outcome.code, outcome.out) == (0, ""), outcome.err
    found = results(output)
    assert [result["id"] for result in found] == [f"line {n}" for n in range(LINES)]
    assert [result["answer"]["text"] for result in found] == [f"PROMPT {n}" for n in range(LINES)]
    assert {result["status"] for result in found} == {"completed"}
    assert [result["job"] for result in found] == [str(job.id) for job in player.jobs()]
    assert found[0]["routing"]["model"] == "smollm2-135m"
    assert {job.job_class for job in player.jobs()} == {JobClass.BATCH}
    assert sorted(path.name for path in output.parent.iterdir()) == ["in.jsonl", "out.jsonl", "out.jsonl.batch"]


def test_a_finished_run_sends_nothing(aico: Aico, player: Player, file: Path, output: Path) -> None:
    for _ in range(2):
        assert aico("batch", str(file), "-o", str(output)).code == 0
    assert len(player.batches()) == 1
    assert len(results(output)) == LINES


def test_lines_that_were_added_are_asked_alone(aico: Aico, player: Player, tmp_path: Path, output: Path) -> None:
    lines = [{"prompt": f"prompt {n}", "cache": "off"} for n in range(5)]
    for count in (3, 5):
        assert aico("batch", str(written(tmp_path, *lines[:count])), "-o", str(output)).code == 0
    assert [batch.total for batch in player.batches()] == [2, 3]
    assert [result["id"] for result in results(output)] == ["1", "2", "3", "4", "5"]


def test_a_longer_file_than_a_batch_takes_becomes_several(
    aico: Aico, player: Player, file: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_run, "MAX_LINES", 5)
    assert aico("batch", str(file), "-o", str(output)).code == 0
    assert [batch.total for batch in player.batches()] == [2, 5, 5]
    assert [result["id"] for result in results(output)] == [f"line {n}" for n in range(LINES)]


def test_an_answer_that_is_lost_makes_no_second_batch(
    aico: Aico, player: Player, network: Network, file: Path, output: Path
) -> None:
    network.losses = 2  # of the upload, and of its repetition
    assert aico("batch", str(file), "-o", str(output)).code == 0
    player.live.database  # noqa: B018 - the same service answered
    assert len(player.batches()) == 1
    assert len(player.jobs()) == LINES


@pytest.mark.parametrize("known", ["file", "batch"])
def test_a_run_that_crashed_goes_on_with_what_its_journal_knows(
    aico: Aico, player: Player, file: Path, output: Path, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    whole = batch_run.Run._note

    def dying(run: batch_run.Run, entry: dict[str, Any]) -> None:
        if known == "file" and "batch" in entry:
            raise KeyboardInterrupt  # after the batch was made, before the journal knew
        whole(run, entry)
        if known in entry:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch_run.Run, "_note", dying)
        for _ in ("file", "batch")[: 2 if known == "file" else 1]:
            assert aico("batch", str(file), "-o", str(output)).code == 130
    assert aico("batch", str(file), "-o", str(output)).code == 0
    assert len(player.batches()) == 1
    assert [result["id"] for result in results(output)] == [f"line {n}" for n in range(LINES)]
    assert journal(output) == ["file", "batch", "collected"]


def test_whoever_interrupts_it_is_told_how_to_go_on(
    aico: Aico, player: Player, file: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player.answering = False

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch_run.time, "sleep", interrupt)  # type: ignore[attr-defined]
        stopped = aico("batch", str(file), "-o", str(output))
    assert stopped.code == 130
    (batch,) = player.batches()
    said = " ".join(stopped.err.split())
    assert f"The batch batch_{batch.id.hex} goes on; the same command goes on with it." in said
    player.answering = True
    assert aico("batch", str(file), "-o", str(output)).code == 0
    assert len(player.batches()) == 1


def test_results_that_a_crash_cut_off_are_written_again(
    aico: Aico, player: Player, file: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = batch_run.Run._append

    def dying(run: batch_run.Run, status: str) -> None:
        whole(run, status)
        text = output.read_bytes()
        output.write_bytes(text[: len(text) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch_run.Run, "_append", dying)
        assert aico("batch", str(file), "-o", str(output)).code == 130
    assert aico("batch", str(file), "-o", str(output)).code == 0
    assert [result["id"] for result in results(output)] == [f"line {n}" for n in range(LINES)]
    assert len(player.batches()) == 1


def test_lines_that_fail_are_told_and_the_rest_is_answered(
    aico: Aico, player: Player, tmp_path: Path, output: Path
) -> None:
    file = written(
        tmp_path,
        {"id": "good", "prompt": "a", "cache": "off"},
        {"id": "bad", "prompt": "this fails", "cache": "off"},
        {"id": "wrong", "prompt": "b", "colour": "red"},
        {"id": "worse", "prompt": 5},
    )
    for _ in range(2):  # a second run finds the same in the output
        outcome = aico("batch", str(file), "-o", str(output))
        assert (outcome.code, outcome.out) == (1, "")
        assert "3 of 4 were not answered (1 failed, 2 refused)" in " ".join(outcome.err.split())
    _, bad, wrong, worse = results(output)
    assert (bad["status"], bad["error"]) == ("failed", {"code": "no_answer", "message": "nobody answers this fails"})
    assert (wrong["status"], worse["status"]) == ("refused", "refused")
    assert "colour" in wrong["error"]["message"]
    assert len(player.batches()) == 1


def test_the_commands_class_is_for_lines_without_and_its_window_for_all(
    aico: Aico, player: Player, tmp_path: Path, output: Path
) -> None:
    own = {"class": "interactive", "completion_window": "30m"}
    file = written(tmp_path, {"prompt": "plain", "cache": "off"}, {"prompt": "own", "cache": "off", **own})
    due = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    outcome = aico("batch", str(file), "-o", str(output), "--class", "standard", "--deadline", due)
    assert outcome.code == 0, outcome.err
    plain, mine = player.jobs()
    assert (plain.job_class, mine.job_class) == (JobClass.STANDARD, JobClass.INTERACTIVE)
    assert [round((job.deadline - job.created_at).total_seconds() / 60) for job in (plain, mine)] == [120, 30]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--completion-window", "8d"), "at most 604800 s"),
        (("--deadline", "2020-01-01T00:00:00Z"), "has passed"),
        (("--deadline", "2030-01-01T00:00:00Z", "--completion-window", "1h"), "either"),
    ],
)
def test_a_due_time_that_cannot_be_is_a_fault_of_the_command(
    aico: Aico, player: Player, file: Path, output: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = aico("batch", str(file), "-o", str(output), *options)
    assert outcome.code in {1, 2}
    assert message in outcome.err
    assert not output.exists()
    assert aico("batch", str(file), "-o", str(output)).code == 0
    assert len(results(output)) == LINES


def test_a_file_in_openais_format_is_sent_as_it_is(aico: Aico, player: Player, tmp_path: Path, output: Path) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}], "aico": {"cache": "off"}}
    line = {"custom_id": "mine", "method": "POST", "url": "/v1/chat/completions", "body": body}
    assert aico("batch", str(written(tmp_path, line)), "-o", str(output)).code == 0
    (result,) = results(output)
    assert (result["id"], result["answer"]["text"]) == ("mine", "HELLO")


def test_a_batch_that_is_cancelled_ends_the_command_and_is_not_begun_again(
    aico: Aico, player: Player, file: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player.answering = False
    sleep = time.sleep

    def cancelling(seconds: float) -> None:
        for batch in player.batches():
            if not batch.status.final:
                aico_client_cancel(player, batch.id.hex)
        sleep(seconds)

    with monkeypatch.context() as patched:
        patched.setattr(batch_run.time, "sleep", cancelling)  # type: ignore[attr-defined]
        outcome = aico("batch", str(file), "-o", str(output))
    assert outcome.code == 1
    assert f"{LINES} of {LINES} were not answered ({LINES} cancelled)" in " ".join(outcome.err.split())
    assert len(player.batches()) == 1


def aico_client_cancel(player: Player, batch: str) -> None:
    with player.live.client() as client:
        client.request("POST", f"/v1/batches/batch_{batch}/cancel")


def test_batches_are_listed_shown_and_cancelled(aico: Aico, player: Player, file: Path, output: Path) -> None:
    assert aico("batch", str(file), "-o", str(output)).code == 0
    (batch,) = player.batches()
    name = f"batch_{batch.id.hex}"
    listed = aico("batches", "ls")
    assert name in listed.out
    assert "completed" in listed.out
    assert json.loads(aico("batches", "ls", "--json").out)["data"][0]["id"] == name
    shown = aico("batches", "show", name).out
    assert "total 12, completed 12, failed 0" in shown
    assert json.loads(aico("batches", "show", name, "--json").out)["status"] == "completed"
    refused = aico("batches", "cancel", name)
    assert refused.code == 1
    assert "completed already" in refused.err
    assert aico("batches", "show", "batch_x").code == 1


@pytest.mark.parametrize(("content", "kept"), [(b"", b""), (b"a\nb\n", b"a\nb\n"), (b"a\nb", b"a\n"), (b"a", b"")])
def test_repair_keeps_whole_lines(tmp_path: Path, content: bytes, kept: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(content)
    repair(path)
    assert path.read_bytes() == kept


def test_repair_makes_no_file(tmp_path: Path) -> None:
    repair(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
