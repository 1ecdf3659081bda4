"""Prices that are found later correct the sums too, beside whoever books meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from conftest import Tenant
from metering import Board, Connection, call, now

from aico.core.ids import new_id
from aico.core.repricing import Charge, Correction
from aico.store import repricing
from aico.store.blocking import Database
from aico.store.repricing import Selection

GRAINS = ("second", "minute", "day")


@pytest.fixture
def board(database: Database, tenant: Tenant, admin: Connection) -> Board:
    return Board.fresh(database, tenant, admin)


def test_who_books_takes_sums_in_the_order_in_which_who_prices_anew_does(board: Board) -> None:
    """So neither waits for what the other holds: a correction has the sums of the ledger before it comes to these."""
    board.booked(call())
    job = board.ended(call())
    with ThreadPoolExecutor(1) as recorder:
        with board.admin.transaction():
            board.admin.execute("select from rollups where tenant_id = %s for update", (board.tenant.id,))
            booking = recorder.submit(board.book, job)
            waits = "select from pg_locks where not granted and pg_backend_pid() = any (pg_blocking_pids(pid))"
            while not board.admin.execute(waits).fetchall():
                assert not booking.done()
            board.admin.execute("select from metric_ticks where tenant_id = %s for update nowait", (board.tenant.id,))
            board.admin.execute("select from metric_rollups where tenant_id = %s for update nowait", (board.tenant.id,))
        booking.result()
    assert board.sums("day", "lever", "requests") == {"routing": 2}


def test_what_is_priced_anew_is_corrected_in_the_sums(board: Board) -> None:
    board.booked(call(None), tags=("a",))
    board.booked(call("1"))
    selected = Selection(now() - timedelta(hours=1), now() + timedelta(hours=1))
    page = board.run(repricing.page(board.tenant.id, selected, after=None, limit=10))
    corrections = [Correction(one, Charge(Decimal(3), "later", one.charge.baseline_cents)) for one in page]
    assert board.run(repricing.correct(board.tenant.id, new_id(), "operator", corrections)) == [2]
    for grain in GRAINS:
        assert board.sums(grain, "lever", "cost_cents") == {"routing": 6}
        assert board.sums(grain, "lever", "baseline_cost_cents") == {"routing": 8}
        assert board.sums(grain, "lever", "unpriced_attempts") == {"routing": 0}
        assert board.sums(grain, "tag", "cost_cents") == {"a": 3}
        assert board.sums(grain, "lever", "attempts") == {"routing": 2}


def test_what_was_booked_before_there_were_sums_is_priced_anew_in_the_ledger_alone(board: Board) -> None:
    board.admin.execute(
        "insert into ledger_attempts (id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms, output)"
        " values (gen_random_uuid(), %s, now(), gen_random_uuid(), 'call', 'ok', 'local', 'small', 7, 50)",
        (board.tenant.id,),
    )
    selected = Selection(now() - timedelta(hours=1), now() + timedelta(hours=1))
    (booked,) = board.run(repricing.page(board.tenant.id, selected, after=None, limit=10))
    correction = Correction(booked, Charge(Decimal(3), "later", None))
    assert board.run(repricing.correct(board.tenant.id, new_id(), "operator", [correction])) == [1]
    assert [board.rows(grain, "lever") for grain in GRAINS] == [[], [], []]
