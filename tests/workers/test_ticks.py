"""Who tells of what was booked: the recorder at once, and the sweeper in its place."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import redis
from conftest import Postgres, Tenant
from metering import Board, call, realtime
from psycopg.rows import dict_row

from aico.store.blocking import Database
from aico.workers import ticks
from aico.workers.heartbeat import pattern
from aico.workers.queue import pushes, to_record
from aico.workers.runtime import Runtime
from aico.workers.sweep import Sweeper
from aico.workers.ticks import Ticker, wait_for_next

OWN_REDIS_DATABASE = "11"
PATIENCE_SECONDS = 30
JOBS = 120
ROOT = Path(__file__).parents[2]


def wait_until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail("the condition was not met in time")
        time.sleep(0.02)


@pytest.fixture
def board(database: Database, tenant: Tenant, postgres: Postgres) -> Iterator[Board]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as admin, realtime(admin):
        yield Board.fresh(database, tenant, admin)


def told_requests(board: Board) -> int:
    return sum(second["requests"] for second in board.told().values())


def test_what_was_booked_last_is_told_though_nothing_follows(board: Board, database: Database) -> None:
    ticker = Ticker(database)
    ticker.start()
    for _ in range(3):  # faster than may be told
        board.booked(call())
        ticker.nudge()
    wait_until(lambda: told_requests(board) == 3)
    assert [tick["seq"] for tick in board.ticks()] == list(range(1, len(board.ticks()) + 1))


@pytest.mark.parametrize(
    ("now", "before", "last", "wait"),
    [
        pytest.param(10.0, 9.55, 9.8, 0.15, id="one comes every quarter of a second, and the next one in a moment"),
        pytest.param(10.0, 9.72, 9.97, 0, id="what is to be told has just been booked"),
        pytest.param(10.0, 9.1, 9.6, 0, id="they are rare"),
        pytest.param(10.0, 9.3, 9.4, 0, id="none has come when one was expected"),
        pytest.param(10.0, -float("inf"), 9.9, 0, id="it is the first"),
    ],
)
def test_a_tick_waits_for_the_next_batch_where_that_is_about_to_come(
    now: float, before: float, last: float, wait: float
) -> None:
    assert wait_for_next(now, before, last) == pytest.approx(wait)


def test_a_tick_is_in_the_log_that_realtime_reads_as_soon_as_it_has_been_told(board: Board, database: Database) -> None:
    board.booked(call())
    board.admin.execute("select realtime.open_changes('ticks_told')")
    Ticker(database).tell()
    read = board.admin.execute("select realtime.read_changes('ticks_told', 100) as data").fetchall()
    assert f"tenant:{board.tenant.id}:metrics".encode() in b"".join(row["data"] for row in read)


def test_an_outage_is_waited_for(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Database("postgresql://127.0.0.1:9/none?connect_timeout=1", max_size=1)
    monkeypatch.setattr(gone._pool, "timeout", 0.05)
    gone.open()
    assert Ticker(gone).tell() == ticks.RETRY_SECONDS
    gone.close()
    assert board.ticks() == []


def test_what_the_database_refuses_is_asked_again(board: Board, database: Database) -> None:
    rename = "alter function private.{}(integer) rename to {}"
    board.booked(call())
    board.admin.execute(rename.format("tell_metrics", "tells_no_more").encode())
    try:
        assert Ticker(database).tell() == ticks.RETRY_SECONDS
    finally:
        board.admin.execute(rename.format("tells_no_more", "tell_metrics").encode())
    Ticker(database).tell()
    assert told_requests(board) == 1


def test_the_sweeper_tells_what_a_recorder_died_over(board: Board, runtime: Runtime) -> None:
    board.booked(call())
    assert board.ticks() == []
    Sweeper(runtime).sweep()
    assert told_requests(board) == 1


@contextmanager
def recorders(database_url: str, redis_url: str, count: int, log: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }
    argv = [sys.executable, "-c", "from aico.workers.process import run_worker; run_worker('record')"]
    with log.open("wb") as output:
        started = [
            subprocess.Popen(argv, stdout=output, stderr=output, env=environment, cwd=log.parent) for _ in range(count)
        ]
        try:
            yield started
        finally:
            for process in started:
                process.kill()
                process.wait()


def test_recorders_that_are_killed_lose_nothing_and_count_nothing_twice(
    board: Board, postgres: Postgres, redis_url: str, tmp_path: Path
) -> None:
    """Two are at work, and one is killed in the midst. For what it had taken is rung again, as the sweeper does."""
    url = f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}"
    with (
        redis.Redis.from_url(url, decode_responses=True) as broker,
        recorders(postgres.url, url, 2, tmp_path / "log") as processes,
    ):

        def ring(jobs: list[UUID]) -> None:
            for queue, messages in pushes([to_record(board.tenant.id, job) for job in jobs]).items():
                broker.lpush(queue, *messages)

        wait_until(lambda: len(list(broker.scan_iter(match=pattern("record")))) == len(processes))
        jobs = [board.ended(call("0.1", latency_ms=1)) for _ in range(JOBS)]
        for start in range(0, JOBS, 10):
            ring(jobs[start : start + 10])
            if start == JOBS // 2:
                wait_until(lambda: board.rows("second", "lever"))
                processes[0].send_signal(signal.SIGKILL)

        def all_booked() -> bool:
            left = board.admin.execute(
                "select job_id from ledger_outbox where tenant_id = %s", (board.tenant.id,)
            ).fetchall()
            if left and not broker.llen("record"):
                ring([row["job_id"] for row in left])
                time.sleep(0.3)
            return not left

        wait_until(all_booked)
        wait_until(lambda: told_requests(board) == JOBS)
    assert board.sums("day", "lever", "requests") == {"routing": JOBS}
    assert board.sums("day", "lever", "cost_cents") == {"routing": JOBS // 10}
    assert sum(board.sums("second", "lever", "requests").values()) == JOBS
    told = board.ticks()
    assert [tick["seq"] for tick in told] == list(range(1, len(told) + 1))
    assert max(len(json.dumps(tick)) for tick in told) < 2048
