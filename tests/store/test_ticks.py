"""Who looks at a tenant's figures is told what changed: all of it, in order, and not too often."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from conftest import Postgres, Tenant
from metering import Board, Connection, call, failed, now, realtime
from psycopg.rows import dict_row

from aico.core.access import Role
from aico.core.attempts import AttemptKind
from aico.core.metrics import Grain, Period
from aico.store import ledger, metrics
from aico.store.blocking import Database
from aico.store.scope import Scope

LAST_HOUR = Period(Grain.SECOND, now() - timedelta(hours=1), now() + timedelta(hours=2))
LARGEST = 2048  # bytes of a tick


@pytest.fixture
def board(database: Database, tenant: Tenant, admin: Connection) -> Iterator[Board]:
    with realtime(admin):
        yield Board.fresh(database, tenant, admin)


def ends(board: Board, ages: list[int], **said: Any) -> None:
    """A job ends in each of these seconds ago."""
    board.book(*(board.ended(call("0.000001", at=now() - timedelta(seconds=age)), **said) for age in ages))


def settle(board: Board) -> None:
    """Until nothing is left to be told."""
    for _ in range(100):
        board.admin.execute("update metric_ticks set told_at = told_at - interval '1 second' where changed <> '{}'")
        if board.tell_at_once().next_in is None:
            return
    pytest.fail("there was always something left to be told")


def test_a_tick_holds_each_changed_second_whole(board: Board) -> None:
    second = now().replace(microsecond=0) - timedelta(seconds=10)
    hit = call("0", at=second, kind=AttemptKind.EXACT_HIT, usage=call().usage.model_copy(update={"output": 7}))
    board.book(
        board.ended(call("0.25", at=second), took_ms=200),
        board.ended(hit),
        board.ended(failed(at=second), status="failed"),
    )
    board.tell()
    (tick,) = board.ticks()
    assert tick["seq"] == 1
    assert abs(datetime.fromisoformat(tick["at"]) - now()) < timedelta(minutes=10)
    (told,) = tick["seconds"]
    assert told == {
        "at": f"{second:%Y-%m-%dT%H:%M:%SZ}",
        "requests": 3,
        "answered": 2,
        "failed": 1,
        "hits": {"exact": 1, "semantic": 0, "shared": 0},
        "cost_cents": "0.25",
        "baseline_cost_cents": "8",
        "input_tokens": 240,
        "output_tokens": 57,
        "latency_ms_p50": pytest.approx(100, rel=0.06),
        "latency_ms_p95": pytest.approx(200, rel=0.06),
    }


def test_what_changes_soon_after_a_tick_waits_and_goes_together(board: Board) -> None:
    ends(board, [10])
    board.tell()
    for _ in range(3):
        ends(board, [10])
        told = board.tell_at_once()
        assert told.next_in is not None
        assert told.next_in <= 0.5
    assert [tick["seq"] for tick in board.ticks()] == [1]
    board.tell()
    assert [tick["seq"] for tick in board.ticks()] == [1, 2]
    assert [second["requests"] for tick in board.ticks() for second in tick["seconds"]] == [1, 4]


def test_a_tenant_of_whom_nothing_changed_is_told_nothing(board: Board) -> None:
    ends(board, [10])
    board.tell()
    before = board.admin.execute("select * from metric_ticks where tenant_id = %s", (board.tenant.id,)).fetchall()
    board.tell_at_once()
    assert (
        board.admin.execute("select * from metric_ticks where tenant_id = %s", (board.tenant.id,)).fetchall() == before
    )
    assert len(board.ticks()) == 1


def test_many_changed_seconds_are_told_newest_first_and_none_is_lost(board: Board) -> None:
    ages = list(range(5, 30, 2))
    ends(board, ages, tags=("a", "b"))
    settle(board)
    ticks = board.ticks()
    assert [tick["seq"] for tick in ticks] == [1, 2, 3]
    assert [len(tick["seconds"]) for tick in ticks] == [5, 5, 3]
    order = [max(second["at"] for second in tick["seconds"]) for tick in ticks]
    assert order == sorted(order, reverse=True)
    assert len(board.told()) == len(ages)


def test_a_tick_is_small_whatever_happens_in_its_seconds(board: Board) -> None:
    ends(board, [5, 6, 7, 8, 9, 10])
    board.admin.execute(
        "update metric_rollups set requests = 99999999, exact_hits = 99999999, semantic_hits = 99999999,"
        " shared_hits = 99999999, input_tokens = 999999999999, output_tokens = 999999999999,"
        " cost_cents = 99999999.999999, baseline_cost_cents = 99999999.999999 where tenant_id = %s",
        (board.tenant.id,),
    )
    board.tell()
    (tick,) = board.ticks()
    assert len(json.dumps(tick)) < LARGEST


def test_a_client_that_heard_every_tick_knows_what_the_series_says(board: Board) -> None:
    for start in (3, 4, 9):
        ends(board, [start, start + 1, 40])
        board.tell()
    rows = board.run(metrics.series(board.tenant.id, LAST_HOUR, None, most=1))
    series = {f"{row.at:%Y-%m-%dT%H:%M:%SZ}": row.requests for row in rows}
    assert {at: second["requests"] for at, second in board.told().items()} == series
    assert board.run(metrics.seq(board.tenant.id)) == [len(board.ticks())]


def test_of_many_who_tell_at_the_same_time_one_does(board: Board) -> None:
    ends(board, [5, 6])
    with ThreadPoolExecutor(4) as processes:
        told = list(processes.map(lambda _: board.tell_at_once(), range(12)))
    assert len(told) == 12
    assert [tick["seq"] for tick in board.ticks()] == [1]


def test_several_processes_tell_without_gaps_and_leave_nothing_out(board: Board) -> None:
    def work(number: int) -> None:
        job = board.ended(call(at=now() - timedelta(seconds=number % 7)))
        board.run(ledger.book([board.tenant.id], [job]))
        board.tell()

    with psycopg.connect(
        board.admin.info.dsn, password=board.admin.info.password, autocommit=True, row_factory=dict_row
    ) as own:
        side = Board(board.database, board.tenant, own)
        with ThreadPoolExecutor(4) as processes:
            list(processes.map(work, range(24)))
        settle(side)
    seqs = [tick["seq"] for tick in board.ticks()]
    assert seqs == list(range(1, len(seqs) + 1))
    rows = board.run(metrics.series(board.tenant.id, LAST_HOUR, None, most=1))
    assert {at: second["requests"] for at, second in board.told().items()} == {
        f"{row.at:%Y-%m-%dT%H:%M:%SZ}": row.requests for row in rows
    }


def test_each_tenant_is_told_its_own_figures(board: Board, make_tenant: Callable[[], Tenant]) -> None:
    other = Board(board.database, make_tenant(), board.admin)
    jobs = [board.ended(call()), *(other.ended(call()) for _ in range(2))]
    tenants = [board.tenant.id, other.tenant.id]
    board.database.run(Scope.each(tenants), ledger.book(tenants, jobs))
    board.tell()
    other.tell()
    counts = [[second["requests"] for second in one.told().values()] for one in (board, other)]
    assert [sum(found) for found in counts] == [1, 2]


def test_a_member_hears_a_tick_and_a_stranger_does_not(board: Board, make_tenant: Callable[[], Tenant]) -> None:
    ends(board, [5])
    board.tell()
    topic = f"tenant:{board.tenant.id}:metrics"

    def heard(tenant: Tenant) -> int:
        with board.admin.transaction(force_rollback=True):
            (user,) = board.admin.execute(
                "insert into auth.users (id) values (gen_random_uuid()) returning id"
            ).fetchall()
            board.admin.execute("insert into members values (%s, %s, %s)", (tenant.id, user["id"], Role.VIEWER.value))
            claims = json.dumps({"sub": str(user["id"]), "role": "authenticated"})
            board.admin.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('realtime.topic', %s, true)",
                (claims, topic),
            )
            board.admin.execute("set local role authenticated")
            return len(board.admin.execute("select from realtime.messages where topic = %s", (topic,)).fetchall())

    assert (heard(board.tenant), heard(make_tenant())) == (1, 0)


def test_without_realtime_nothing_fails_and_nothing_piles_up(board: Board) -> None:
    ends(board, [5])
    with board.admin.transaction(force_rollback=True):
        board.admin.execute("alter function realtime.send rename to sends_no_more")
        board.tell_by(board.admin)
        row = board.admin.execute(
            "select changed from metric_ticks where tenant_id = %s", (board.tenant.id,)
        ).fetchone()
    assert row == {"changed": []}
    assert board.ticks() == []


def test_what_a_recorder_died_over_is_told_by_another(board: Board, postgres: Postgres) -> None:
    """It had booked, and was killed before it told."""
    ends(board, [5])
    another = Database(postgres.url, max_size=1)
    another.open()
    Board(another, board.tenant, board.admin).tell()
    another.close()
    assert [tick["seq"] for tick in board.ticks()] == [1]


def test_a_recorder_that_dies_in_the_middle_has_neither_booked_nor_told(board: Board) -> None:
    job = board.ended(call())
    with board.admin.transaction(force_rollback=True):
        board.admin.execute("select set_config('aico.tenants', %s, true)", (str(board.tenant.id),))
        statement = ledger.book([board.tenant.id], [job])
        assert board.admin.execute(statement.sql.encode(), statement.params).fetchone() is not None
        board.tell_by(board.admin)
    assert (board.rows("second", "lever"), board.ticks()) == ([], [])
    board.book(job)
    board.tell()
    assert [second["requests"] for second in board.told().values()] == [1]


def test_a_second_that_was_purged_before_it_was_told_is_left_out(board: Board) -> None:
    ends(board, [5])
    board.admin.execute("delete from metric_rollups where tenant_id = %s", (board.tenant.id,))
    board.tell()
    assert [tick["seconds"] for tick in board.ticks()] == [[]]
