"""What is summed up of jobs that end: once, in the bucket in which they ended, along each dimension."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from conftest import Postgres, Tenant
from metering import Board, Connection, call, failed, now

from aico.core.attempts import AttemptKind, AttemptOutcome
from aico.core.metrics import Dimension, Grain, Period
from aico.store import ledger, metrics
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.statement import Statement

ALL = Period(Grain.DAY, now() - timedelta(days=40), now() + timedelta(days=2))
GRAINS = ("second", "minute", "day")


@pytest.fixture
def board(database: Database, tenant: Tenant, admin: Connection) -> Board:
    return Board.fresh(database, tenant, admin)


def book_one_of_each(board: Board) -> None:
    hit = {"usage": call().usage.model_copy(update={"input_uncached": 0, "cache_read": 0, "output": 0})}
    jobs = [
        board.ended(failed("0.5"), call("1")),
        board.ended(call("0", kind=AttemptKind.EXACT_HIT, **hit), tags=("team:a",), strategy="cache"),
        board.ended(call("0", kind=AttemptKind.SEMANTIC_HIT, **hit), strategy="cache"),
        board.ended(call("0", kind=AttemptKind.SHARED, **hit), strategy="single_flight"),
        board.ended(call("2", model="big", usage=call().usage.model_copy(update={"batch": True})), job_class="batch"),
        board.ended(call("0.25", kind=AttemptKind.JUDGE), concludes=False, strategy="cache"),
        board.ended(call(None, provider="other"), tags=("team:a", "team:b")),
        board.ended(failed(), failed(), status="failed", baseline=None),
    ]
    board.book(*jobs)


@pytest.mark.parametrize("grain", GRAINS)
def test_each_attempt_is_in_one_lever_and_all_levers_are_all_attempts(board: Board, grain: str) -> None:
    book_one_of_each(board)
    levers = {"exact": 1, "semantic": 1, "shared": 1, "lane": 1, "comparison": 0, "routing": 3}
    assert board.sums(grain, "lever", "requests") == levers
    assert board.sums(grain, "lever", "answered") == {**levers, "routing": 2}
    assert board.sums(grain, "lever", "attempts") == {**levers, "comparison": 1, "routing": 5}
    assert board.sums(grain, "lever", "failed_attempts")["routing"] == 3
    assert board.sums(grain, "lever", "cost_cents")["routing"] == Decimal("1.5")
    assert board.sums(grain, "lever", "unpriced_attempts")["routing"] == 1
    saved = board.sums(grain, "lever", "baseline_cost_cents")
    assert (saved["routing"], saved["exact"], saved["comparison"]) == (4, 4, 0), "of an unknown cost none is known"


@pytest.mark.parametrize("dimension", ["lever", "model", "route"])
@pytest.mark.parametrize("grain", GRAINS)
def test_the_sums_are_those_of_the_ledger(board: Board, grain: str, dimension: str) -> None:
    book_one_of_each(board)
    (wanted,) = board.admin.execute(
        "select count(*) as attempts, count(*) filter (where outcome <> 'ok') as failed_attempts,"
        " sum(cost_cents) as cost_cents, sum(input_uncached + cache_read + cache_write) as input_tokens,"
        " sum(output) as output_tokens, sum(baseline_cost_cents) filter (where cost_cents is not null)"
        " as baseline_cost_cents from ledger_attempts where tenant_id = %s",
        (board.tenant.id,),
    ).fetchall()
    found = {column: sum(board.sums(grain, dimension, column).values()) for column in wanted}
    assert found == wanted


def test_names_along_each_dimension(board: Board) -> None:
    book_one_of_each(board)
    assert board.sums("day", "model", "answered") == {"local/small": 4, "local/big": 1, "other/small": 1}
    assert board.sums("day", "route", "answered") == {"complexity": 3, "cache": 2, "single_flight": 1}
    assert board.sums("day", "tag", "answered") == {"team:a": 2, "team:b": 1}
    providers = board.run(metrics.breakdown(board.tenant.id, ALL, Dimension.PROVIDER, most=10))
    assert {row.name: row.answered for row in providers} == {"local": 5, "other": 1}


def test_booking_again_adds_nothing(board: Board) -> None:
    job = board.ended(call())
    board.book(job)
    board.book(job)
    assert board.sums("day", "lever", "requests") == {"routing": 1}


def test_a_job_that_was_cancelled_is_no_failure(board: Board) -> None:
    board.booked(failed(outcome=AttemptOutcome.CANCELLED), status="cancelled")
    (row,) = board.rows("day", "lever")
    assert (row["requests"], row["attempts"]) == (0, 1)


def test_an_attempt_after_which_the_job_goes_on_is_no_request(board: Board) -> None:
    board.booked(failed(), concludes=False, status="queued")
    board.booked(call(outcome=AttemptOutcome.LOST), concludes=False, status="completed")
    (row,) = board.rows("day", "lever")
    assert (row["requests"], row["attempts"], row["failed_attempts"]) == (0, 2, 2)


def test_a_draft_that_did_not_pass_is_no_answer(board: Board) -> None:
    """The call after it was never made: it would have been too dear."""
    board.booked(call(), status="failed", baseline=None)
    (row,) = board.rows("day", "lever")
    assert (row["requests"], row["answered"], row["failed_attempts"], row["latency"]) == (1, 0, 0, 0)


def test_a_job_whose_last_worker_died_has_failed(board: Board) -> None:
    job = board.ended(call(outcome=AttemptOutcome.LOST), status="expired")
    board.admin.execute("update ledger_outbox set concludes = null where job_id = %s", (job,))  # as the sweeper does
    board.book(job)
    (row,) = board.rows("day", "lever")
    assert (row["requests"], row["answered"]) == (1, 0)


def test_a_call_counts_when_it_ended_not_when_it_began(board: Board) -> None:
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    began = midnight - timedelta(milliseconds=200)
    board.booked(call(at=began, latency_ms=199), call(at=began, latency_ms=200))
    days = {row["bucket"]: row["attempts"] for row in board.rows("day", "lever")}
    assert days == {midnight - timedelta(days=1): 1, midnight: 1}
    minutes = [row["bucket"] for row in board.rows("minute", "lever")]
    assert minutes == [midnight - timedelta(minutes=1), midnight]


def test_days_begin_at_midnight_utc_whatever_the_zone_of_the_session(board: Board, postgres: Postgres) -> None:
    job = board.ended(call())
    elsewhere = Database(f"{postgres.url}?options=-ctimezone%3DAsia%2FKolkata", max_size=1)
    elsewhere.open()
    assert elsewhere.run(Scope.tenant(board.tenant.id), ledger.book([board.tenant.id], [job])) == [1]
    elsewhere.close()
    (row,) = board.rows("day", "lever")
    bucket = row["bucket"].astimezone(UTC)
    assert (bucket.hour, bucket.minute) == (0, 0)


def test_a_clock_that_is_fast_makes_no_second_that_is_to_come(board: Board) -> None:
    board.booked(call(at=now() + timedelta(hours=30)))
    for grain in GRAINS:
        (row,) = board.rows(grain, "lever")
        assert row["bucket"] <= datetime.now(UTC)


def test_what_comes_late_is_in_its_minute_and_its_day_but_makes_no_second_that_is_kept_no_longer(board: Board) -> None:
    late = now() - timedelta(hours=3)
    board.booked(call(at=late))
    assert board.rows("second", "lever") == []
    (minute,) = board.rows("minute", "lever")
    assert minute["bucket"] == (late + timedelta(milliseconds=40)).replace(second=0, microsecond=0)
    assert board.sums("day", "lever", "requests") == {"routing": 1}


def test_what_comes_later_than_minutes_are_kept_is_in_its_day_alone(board: Board) -> None:
    board.booked(call(at=now() - timedelta(days=36)))
    assert [len(board.rows(grain, "lever")) for grain in GRAINS] == [0, 0, 1]


@pytest.mark.parametrize("kind", [AttemptKind.CALL, AttemptKind.SHADOW, AttemptKind.JUDGE])
def test_a_call_is_in_the_second_in_which_it_ended_whatever_it_was_for(board: Board, kind: AttemptKind) -> None:
    began = now().replace(microsecond=0) - timedelta(seconds=100)
    board.booked(call(at=began, kind=kind, latency_ms=40_000), concludes=False)
    (second,) = board.rows("second", "lever")
    assert second["bucket"] == began + timedelta(seconds=40)


def test_tags_beyond_a_hundred_a_day_go_under_one_name(board: Board) -> None:
    board.book(
        *(board.ended(call(), tags=[f"t{number:03}" for number in range(start, start + 16)]) for start in (0, 16))
    )
    board.book(
        *(board.ended(call(), tags=[f"t{number:03}" for number in range(n, n + 16)]) for n in range(32, 128, 16))
    )
    board.booked(call(), tags=["t127", "t001", "one more"])
    for grain in GRAINS:
        counts = board.sums(grain, "tag", "requests")
        assert len(counts) == 101
        assert sum(counts.values()) == 131
        assert (counts["(other)"], counts["t001"]) == (30, 2)


@pytest.mark.parametrize(
    "took",
    [[5], [0, 0.4, 1], [7, 80, 900, 10_000], [round(1.07**n, 2) for n in range(180)], [250] * 90 + [4000] * 10],
    ids=["one", "none at all", "few", "many", "a tail"],
)
def test_quantiles_are_within_six_percent_of_what_callers_waited(board: Board, took: list[float]) -> None:
    board.book(*(board.ended(call(), took_ms=ms) for ms in took))
    (total,) = board.run(metrics.total(board.tenant.id, ALL))
    ordered = sorted(max(1, ms) for ms in took)
    exact = [ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.95)]
    assert [total.latency_ms_p50, total.latency_ms_p95] == pytest.approx(exact, rel=0.06, abs=0.5)


def test_nobody_waits_for_a_batch_and_what_failed_took_no_time(board: Board) -> None:
    board.booked(call(), job_class="batch", took_ms=60_000)
    board.booked(call(usage=call().usage.model_copy(update={"batch": True})), job_class="standard", took_ms=60_000)
    board.booked(failed(), status="failed", took_ms=60_000)
    (total,) = board.run(metrics.total(board.tenant.id, ALL))
    assert (total.requests, total.latency_ms_p50, total.latency_ms_p95) == (3, None, None)
    board.booked(call(), took_ms=10**10)
    (total,) = board.run(metrics.total(board.tenant.id, ALL))
    assert total.latency_ms_p50 == pytest.approx(70 * 60_000, rel=0.06), "longer ones are no longer told apart"


def test_recorders_side_by_side_lose_nothing(board: Board, make_tenant: Callable[[], Tenant]) -> None:
    other = Board(board.database, make_tenant(), board.admin)
    jobs = [
        (one.ended(call("0.1"), tags=("a", f"t{n % 3}"), took_ms=n), n) for n in range(60) for one in (board, other)
    ]
    batches = [[job for job, _ in jobs[start : start + 8]] for start in range(0, len(jobs), 8)]
    tenants = [board.tenant.id, other.tenant.id]
    with ThreadPoolExecutor(4) as recorders:
        list(recorders.map(lambda batch: board.database.run(Scope.each(tenants), ledger.book(tenants, batch)), batches))
    for one in (board, other):
        assert one.sums("day", "lever", "cost_cents") == {"routing": 6}
        assert one.sums("day", "tag", "requests") == {"a": 60, "t0": 20, "t1": 20, "t2": 20}
        assert sum(one.sums("second", "lever", "requests").values()) == 60


def test_another_tenants_sums_are_neither_seen_nor_added_to(board: Board, make_tenant: Callable[[], Tenant]) -> None:
    board.booked(call())
    other = make_tenant()
    scope = Scope.tenant(other.id)
    assert board.database.run(scope, metrics.total(board.tenant.id, ALL)) == []
    job = board.ended(call())
    assert board.database.run(scope, ledger.book([board.tenant.id], [job])) == [0]
    cells = "array[(%s, now(), 'call', false, 'p', 'm', '', '{}', 1, 1, 1, 0, 0, 0, 0, 9, 9, 0)::private.metric_cell]"
    with board.admin.transaction():
        board.admin.execute("select set_config('aico.tenants', %s, true)", (str(other.id),))
        board.admin.execute(f"select private.add_metrics({cells})".encode(), (board.tenant.id,))
    assert board.sums("day", "lever", "cost_cents") == {"routing": 1}


def test_old_seconds_and_minutes_are_deleted_and_days_stay(board: Board) -> None:
    for age, grain in (
        (59, "second"),
        (61, "second"),
        (60 * 24 * 34, "minute"),
        (60 * 24 * 36, "minute"),
        (10**6, "day"),
    ):
        board.admin.execute(
            "insert into metric_rollups (tenant_id, grain, dimension, bucket, name)"
            " values (%s, %s, 'lever', now() - %s, 'x')",
            (board.tenant.id, grain, timedelta(minutes=age)),
        )
    board.database.run(Scope.system(), metrics.purge(limit=10_000))
    assert [len(board.rows(grain, "lever")) for grain in GRAINS] == [1, 1, 1]


def relations(plan: Any) -> set[str]:
    """All that a plan reads."""
    if isinstance(plan, list):
        return set().union(*map(relations, plan))
    if isinstance(plan, dict):
        own = {plan["Relation Name"]} if "Relation Name" in plan else set()
        return own.union(*map(relations, plan.values()))
    return set()


@pytest.mark.parametrize("by", [None, *Dimension])
def test_no_figure_that_is_shown_is_read_off_the_ledger(board: Board, by: Dimension | None) -> None:
    tenant = board.tenant.id
    shown: list[Statement[Any]] = [
        metrics.total(tenant, ALL),
        metrics.series(tenant, ALL, by, most=8),
        metrics.seq(tenant),
    ]
    if by is not None:
        shown.append(metrics.breakdown(tenant, ALL, by, most=100))
    board.admin.execute("set enable_seqscan = off")  # a small table is read whole for all its indexes
    for statement in shown:
        row = board.admin.execute(f"explain (format json) {statement.sql}".encode(), statement.params).fetchone()
        assert row is not None
        plan = row["QUERY PLAN"]
        assert relations(plan) <= {"metric_rollups", "metric_ticks"}
        assert "Index" in json.dumps(plan)
    board.admin.execute("reset enable_seqscan")
