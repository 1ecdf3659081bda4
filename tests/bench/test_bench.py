"""The benchmark's own parts: its arithmetic, its tables, and its client against real local servers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from aico.core.settings import Settings
from aico.embedded.ports import free_port
from bench import __main__ as command
from bench import baseline, embedding
from bench.framing import request_bytes, response_bytes, take_message
from bench.load import PLACE, Load, LoadFailed, percentile, run_load
from bench.measure import Row, adding_at_most, against, at_least, measure
from bench.mock_provider import delay_seconds, model_name
from bench.product import isolated_environment, part_of, read_addresses
from bench.prompts import CACHED, distinct, paraphrased, repeated
from bench.report import embedding_table, product_table, table
from bench.servers import cpu_seconds, running_module

ROW = Row(
    name="submit",
    callers=64,
    answers=900,
    expected_share=1.0,
    rate=1000.0,
    p50_ms=8.0,
    p99_ms=20.0,
    cpu={"api": 0.4, "client": 0.03},
    api_busy=0.9,
)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """A small load on the mock provider, which runs."""
    with running_module("bench.mock_provider", tmp_path_factory.mktemp("logs")) as (port, _):
        body = f'{{"model": "{model_name(0)}", "messages": [{{"role": "user", "content": "{PLACE}"}}]}}'
        yield Load(port, "/v1/chat/completions", body, '"stop"', callers=3, seconds=5, headers={}, limit=50)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (0.001, 1), (1.0, 100)])
def test_a_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected
    assert percentile([7], share) == 7


def test_messages_are_taken_from_the_stream_whole_and_one_at_a_time() -> None:
    stream = request_bytes("/a", {"Authorization": "Bearer x"}, b"first") + response_bytes(b"")
    buffer = bytearray(stream[:-1])
    message = take_message(buffer)
    assert message is not None
    assert message[0].startswith(b"post /a http/1.1\r\n")
    assert b"authorization: bearer x" in message[0]
    assert message[1] == b"first"
    assert take_message(buffer) is None
    buffer += stream[-1:]
    assert take_message(buffer) == (response_bytes(b"").strip().lower(), b"")
    assert not buffer


def test_a_message_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="no content-length"):
        take_message(bytearray(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"))


def test_prompts_differ_repeat_and_are_paraphrased() -> None:
    assert len({distinct(number) for number in range(5000)}) == 5000
    assert repeated(CACHED + 3) == distinct(3)
    variants = {paraphrased(3 + CACHED * turn) for turn in range(2000)}
    assert len(variants) == 2000
    assert distinct(3) not in variants
    assert {variant.lower().rstrip(".!?") for variant in variants} == {distinct(3)}


def test_the_provider_waits_as_long_as_the_models_name_says() -> None:
    assert delay_seconds(f'{{"model": "{model_name(60)}"}}'.encode()) == 0.06
    with pytest.raises(ValueError, match="no model of the mock provider"):
        delay_seconds(b'{"model": "other"}')


def test_columns_line_up() -> None:
    assert table(("", "rate"), [("a", "1"), ("long", "1,000")]).splitlines() == [
        "       rate",
        "----  -----",
        "a         1",
        "long  1,000",
    ]


def test_rows_are_held_against_the_baseline_and_their_aims() -> None:
    bare = replace(ROW, name="bare", rate=4000.0, cpu={"api": 0.1})
    row = against(at_least(ROW, 2000), bare)
    assert row.rate_ratio == 0.25
    assert row.api_cpu_ratio == pytest.approx(4.0)
    assert row.met is False
    assert against(replace(ROW, callers=1), bare).rate_ratio is None
    missed = adding_at_most(replace(ROW, p50_ms=75.0), replace(ROW, p50_ms=60.0), 20)
    assert (missed.added_p50_ms, missed.met) == (15.0, True)
    shown = product_table([row, missed])
    assert ">= 2,000/s" in shown
    assert "missed" in shown
    assert "added <= 20 ms" in shown


def test_embeddings_have_an_aim_only_beside_their_baseline() -> None:
    ours = embedding.Row("openvino", "short", "1", 300.0, 280.0, 3.2, 0.99)
    assert embedding_table([ours]).endswith("missed")
    assert embedding_table([replace(ours, min_cosine=0.9995)]).endswith("met")
    assert embedding_table([replace(ours, ratio_to_baseline=None, min_cosine=None)]).endswith("cosine >= 0.999")


def test_a_load_ends_at_its_limit_with_every_answer_as_expected(provider: Load) -> None:
    outcome = run_load(provider)
    assert (outcome.answers, outcome.unexpected, outcome.example) == (50, 0, "")
    assert outcome.rate == pytest.approx(50 / outcome.seconds)


def test_a_load_ends_when_its_time_is_up(provider: Load) -> None:
    outcome = run_load(replace(provider, limit=None, seconds=0.2))
    assert outcome.answers >= provider.callers
    assert outcome.p50_ms <= outcome.p99_ms


def test_other_answers_are_counted_and_fail_a_row(provider: Load) -> None:
    wrong = replace(provider, expect='"cache":"exact"')
    outcome = run_load(wrong)
    assert outcome.unexpected == outcome.answers
    assert "lantern" in outcome.example
    with pytest.raises(LoadFailed, match="50 of 50 unexpected"):
        measure("wrong", wrong, {})


def test_a_server_that_is_not_there_fails_the_load(provider: Load) -> None:
    with pytest.raises(LoadFailed, match="/v1/chat/completions"):
        run_load(replace(provider, port=free_port(0)))


def test_the_baseline_is_measured_with_its_cpu_time(tmp_path: Path) -> None:
    row = baseline.row(tmp_path, None, callers=2, seconds=0.3)
    assert row.answers > 2
    assert row.cpu["api"] > 0
    assert row.cpu["client"] > 0


def test_cpu_time_of_a_group_includes_children_that_have_ended() -> None:
    group = {"self": [psutil.Process()]}
    before = cpu_seconds(group)["self"]
    busy = "import os\nwhile sum(os.times()[:2]) < 0.2: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert cpu_seconds(group)["self"] - before >= 0.15


def test_processes_are_told_apart_by_their_command_lines() -> None:
    python = ["python", "-m", "aico.cli.main"]
    lines = ([*python, "serve"], [*python, "worker", "embed"], [*python, "sweep"], ["/x/postgres", "-D", "data"])
    assert [part_of(line) for line in lines] == ["api", "workers", "workers", "postgres"]
    assert part_of(["python", "-m", "aico.embedded.auth", "--port", "1"]) == "auth"
    assert part_of(["/x/valkey-server", "valkey.conf"]) == "redis"


def test_settings_of_the_caller_do_not_reach_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key that costs money")
    monkeypatch.setenv("DATABASE_URL", "a database that matters")
    environment = isolated_environment(mock_port=1234)
    assert {name for name in environment if name.lower() in Settings.model_fields} == {
        "OPENAI_COMPATIBLE_URL",
        "OPENAI_COMPATIBLE_MODELS",
        "HOLDOUT_SHARE",
        "PORT",
    }
    assert environment["PATH"] == os.environ["PATH"]


def test_addresses_are_read_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "stack.env"
    file.write_text("PORT=8080\nDATABASE_URL=postgresql://a:b=@c/d\n")
    assert read_addresses(file) == {"PORT": "8080", "DATABASE_URL": "postgresql://a:b=@c/d"}


@pytest.mark.parametrize("arguments", [["nothing"], ["--seconds", "0"], ["--callers", "many"]])
def test_arguments_that_mean_nothing_are_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "error:" in capsys.readouterr().err
