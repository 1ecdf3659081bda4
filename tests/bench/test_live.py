"""The bench of ticks: its arithmetic, and that its rows are those of the product."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import redis
from conftest import Postgres, Tenant

from aico.core.metrics import Grain, Period
from aico.store import ledger, metrics
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers.queue import Queue
from bench.live import __main__ as command
from bench.live.booking import MOST_TOGETHER, Booker, hold_jobs, together
from bench.live.figures import Commit, Lateness, Spread, Tick, Timeline, missing, read_tick, spread, told
from bench.live.report import Outcome, describe

OWN_REDIS_DATABASE = "12"
TIMELINE = Timeline([Commit(60, 10, 60.2), Commit(60, 10, 60.4), Commit(61, 5, 61.1)])
TICK = Tick(seq=1, sent=60.5, arrived=60.55, requests={60: 20})
OUTCOME = Outcome(
    seconds=10,
    accepted=20_000,
    waiting=500,
    behind_seconds=0.2,
    lost=0,
    missing=0,
    misled=0,
    viewers=40,
    ticks=760,
    lateness=Lateness(Spread(100, 180, 250), Spread(10, 30, 40), 0),
    cpu={"Realtime": 0.02},
)


@pytest.mark.parametrize(
    ("requests", "confirmed"),
    [
        pytest.param({60: 20}, 60.4, id="all rows of a second"),
        pytest.param({60: 10}, 60.2, id="those of its first commit"),
        pytest.param({60: 11}, 60.4, id="one of its second commit"),
        pytest.param({60: 20, 61: 5}, 61.1, id="rows of the newest second"),
        pytest.param({60: 21}, None, id="more than were booked"),
        pytest.param({59: 1}, None, id="a second in which nothing was booked"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_newest_row_of_a_tick_is_found_by_how_many_it_tells(
    requests: dict[int, int], confirmed: float | None
) -> None:
    assert TIMELINE.newest(replace(TICK, requests=requests)) == confirmed


def test_a_tick_is_late_by_what_has_passed_since_its_newest_row_and_since_it_was_sent() -> None:
    late = Lateness.of([(TIMELINE, TICK), (TIMELINE, replace(TICK, requests={}))])
    assert late.from_commit is not None
    assert late.from_sending is not None
    assert [late.from_commit.p95, late.from_sending.p95] == pytest.approx([150, 50])
    assert late.untraced == 1


def test_without_ticks_nothing_is_said_of_their_times() -> None:
    assert spread([]) is None
    assert "-" in describe(replace(OUTCOME, ticks=0, lateness=Lateness.of([])))


def test_what_did_not_come_is_counted_also_at_both_ends() -> None:
    assert missing([1, 2, 3], 1, 3) == 0
    assert missing([2, 4, 4], 1, 5) == 3
    assert missing([], 1, 0) == 0


def test_a_second_that_is_told_twice_counts_as_it_was_told_last() -> None:
    assert told([TICK, replace(TICK, requests={60: 25, 61: 3})]) == 28


def test_a_tick_is_read_as_the_product_sends_it() -> None:
    second = {"at": "1970-01-01T00:01:00Z", "requests": 20}
    assert read_tick(60.55, {"seq": 1, "at": "1970-01-01T00:01:00.500Z", "seconds": [second]}) == TICK


def test_what_is_lost_fails_the_run_and_what_is_slow_does_not() -> None:
    slow = replace(OUTCOME, waiting=9_000, lateness=Lateness(Spread(1, 900, 999), None, 0))
    assert slow.whole
    assert "does not keep up" in describe(slow)
    assert "missed" in describe(slow)
    assert "recorder keeps up" in describe(OUTCOME)
    assert "met" in describe(OUTCOME)
    for loss in ({"lost": 1}, {"missing": 1}, {"misled": 1}):
        assert not replace(OUTCOME, **loss).whole  # type: ignore[arg-type]  # each is a count


def test_jobs_end_by_the_products_statement_and_are_counted_in_the_second_that_was_noted(
    postgres: Postgres, database: Database, redis_url: str, tenant: Tenant
) -> None:
    url = f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}"
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin, redis.Redis.from_url(url) as broker:
        jobs = hold_jobs(admin, tenant.id, 2 * MOST_TOGETHER + 3)
        booker = Booker(tenant.id, jobs, 1_000_000, database, broker)
        booker.run()
        booker.check()
        assert broker.llen(Queue.RECORD.value) == 3
        broker.delete(Queue.RECORD.value)
    assert [commit.rows for commit in booker.commits] == [MOST_TOGETHER, MOST_TOGETHER, 3]
    scope = Scope.tenant(tenant.id)
    assert database.run(scope, ledger.pending(tenant.id)) == [booker.rows]
    database.run(scope, ledger.book([tenant.id], jobs))
    now = datetime.now(UTC)
    period = Period(Grain.SECOND, now - timedelta(minutes=5), now + timedelta(minutes=5))
    counted = {
        int(row.at.timestamp()): row.requests
        for row in database.run(scope, metrics.series(tenant.id, period, None, most=1))
        if row.at
    }
    noted: Counter[int] = Counter()
    for commit in booker.commits:
        noted[commit.second] += commit.rows
    assert counted == noted


def test_few_jobs_end_one_by_one() -> None:
    assert [together(rate) for rate in (2, 40, 500, 10_000)] == [1, 2, MOST_TOGETHER, MOST_TOGETHER]


def test_what_stops_a_booker_is_told(database: Database, tenant: Tenant) -> None:
    nowhere = redis.Redis(port=9)
    booker = Booker(tenant.id, [tenant.id], 1, database, nowhere)
    booker.run()
    with pytest.raises(redis.ConnectionError):
        booker.check()


@pytest.mark.parametrize("arguments", [["--rows", "0"], ["--viewers", "many"], ["--seconds", "-1"], ["more"]])
def test_arguments_that_mean_nothing_are_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.live", *arguments])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "error:" in capsys.readouterr().err
