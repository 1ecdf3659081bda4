"""One run: the product, who looks on, the load, and what came of it."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis
from psycopg.rows import scalar_row

from aico.core.settings import STACK_FILE
from aico.store.blocking import Database
from bench.live.audience import Tenant, looking_on, make_tenants
from bench.live.booking import Booker, hold_jobs
from bench.live.figures import Lateness, Tick, Timeline, missing, told
from bench.live.ledger import RECORDED, UNTOLD, WAITING, Ledger
from bench.live.report import Outcome
from bench.product import Product, read_addresses, running_product
from bench.servers import Groups, cpu_seconds, running_module

_WARM_UP_SECONDS = 3.0  # of the load, before anything counts
_PROGRESS_SECONDS = 1.0
_LOOK_SECONDS = 0.02
_APPLICATION = "aico-bench"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    seconds: float
    viewers: int
    rows: int  # a second, of all tenants
    tenants: int


@dataclass(frozen=True, slots=True)
class Running:
    product: Product
    addresses: Mapping[str, str]
    database: Database  # as the service
    admin: "psycopg.Connection[Any]"
    broker: redis.Redis


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is measured, in seconds of the epoch."""

    begun: float
    ended: float
    accepted: int  # rows
    cpu: Mapping[str, float]  # share of a core

    def holds(self, tick: Tick) -> bool:
        return self.begun <= tick.arrived <= self.ended


@dataclass(frozen=True, slots=True)
class Show:
    """What one viewer looked at, and what came to him."""

    rows: Booker
    last: int  # sequence number that there was
    ticks: Sequence[Tick]


def measure(wanted: Wanted, home: Path, say: Say) -> Outcome:
    """All state is kept in `home`. Raises StartFailed or LoadFailed."""
    say("starting the product")
    with _running(wanted, home) as running:
        say("people sign in and subscribe")
        tenants = make_tenants(running.addresses, running.database, wanted.tenants)
        watched = [tenants[number % len(tenants)] for number in range(wanted.viewers)]
        bookers = {one.id: _booker(one, wanted, running) for one in tenants}
        ledger = Ledger(running.admin, list(bookers))
        with looking_on(running.addresses, watched) as audience:
            window = _load(list(bookers.values()), ledger, _groups(running.product, audience.pid), say)
            waiting, behind = ledger.count(WAITING), ledger.settle(WAITING)
            ledger.settle(UNTOLD)
            last = {one.id: ledger.last(one.id) for one in tenants}
            seen = audience.leave({one.topic: last[one.id] for one in tenants})
        shows = [Show(bookers[one.id], last[one.id], ticks) for one, ticks in zip(watched, seen, strict=True)]
        lost = sum(booker.rows for booker in bookers.values()) - ledger.count(RECORDED)
    return _outcome(window, shows, waiting=waiting, behind=behind, lost=lost)


@contextmanager
def _running(wanted: Wanted, home: Path) -> Iterator[Running]:
    with (
        running_module("bench.mock_provider", home) as (mock_port, _),
        running_product(home, mock_port, None) as product,
        psycopg.connect(product.admin_url.get_secret_value(), autocommit=True, row_factory=scalar_row) as admin,
        redis.Redis.from_url(product.redis_url.get_secret_value()) as broker,
    ):
        addresses = read_addresses(home / STACK_FILE.name)
        database = Database(addresses["DATABASE_URL"], max_size=wanted.tenants, application=_APPLICATION)
        with closing(database):
            database.open()
            yield Running(product, addresses, database, admin, broker)


def _booker(tenant: Tenant, wanted: Wanted, running: Running) -> Booker:
    rate = wanted.rows / wanted.tenants
    jobs = hold_jobs(running.admin, tenant.id, math.ceil(rate * (wanted.seconds + _WARM_UP_SECONDS)))
    return Booker(tenant.id, jobs, rate, running.database, running.broker)


def _groups(product: Product, viewers: int) -> Groups:
    return {
        "the record worker": [process for process in product.groups["workers"] if process.cmdline()[-1] == "record"],
        "Realtime": product.groups["auth"],
        "Postgres": product.groups["postgres"],
        "the viewers": [psutil.Process(viewers)],
    }


def _load(bookers: Sequence[Booker], ledger: Ledger, groups: Groups, say: Say) -> Window:
    """Raises what a booker did."""
    for booker in bookers:
        booker.start()
    time.sleep(_WARM_UP_SECONDS)
    groups = {**groups, **_sessions(ledger, groups)}
    before, own, begun, rows = cpu_seconds(groups), time.process_time(), time.time(), _rows(bookers)
    next_word = begun
    while any(booker.is_alive() for booker in bookers):
        time.sleep(_LOOK_SECONDS)
        if time.time() >= next_word:
            next_word += _PROGRESS_SECONDS
            waiting = ledger.count(WAITING)
            say(f"{time.time() - begun:4.0f} s  {_rows(bookers) - rows:,} rows accepted, {waiting:,} not recorded")
    ended, after = time.time(), cpu_seconds(groups)
    for booker in bookers:
        booker.check()
    spent = {name: after[name] - before[name] for name in groups} | {"who books": time.process_time() - own}
    cpu = {name: seconds / (ended - begun) for name, seconds in spent.items()}
    return Window(begun, ended, _rows(bookers) - rows, cpu)


def _sessions(ledger: Ledger, groups: Groups) -> Groups:
    """Parts of Postgres."""
    (recorder,) = groups["the record worker"]
    return {
        "Postgres for the record worker": ledger.sessions(f"aico-worker-{recorder.pid}"),
        "Postgres for Realtime": ledger.sessions("aico-realtime%"),
        "Postgres for who books": ledger.sessions(_APPLICATION),
    }


def _rows(bookers: Sequence[Booker]) -> int:
    return sum(booker.rows for booker in bookers)


def _outcome(window: Window, shows: Sequence[Show], *, waiting: int, behind: float, lost: int) -> Outcome:
    timelines = {show.rows.tenant: Timeline(show.rows.commits) for show in shows}
    counted = [(timelines[show.rows.tenant], tick) for show in shows for tick in show.ticks if window.holds(tick)]
    return Outcome(
        seconds=window.ended - window.begun,
        accepted=window.accepted,
        waiting=waiting,
        behind_seconds=behind,
        lost=lost,
        missing=sum(missing((tick.seq for tick in show.ticks), 1, show.last) for show in shows),
        misled=sum(told(show.ticks) != show.rows.rows for show in shows),
        viewers=len(shows),
        ticks=len(counted),
        lateness=Lateness.of(counted),
        cpu=window.cpu,
    )
