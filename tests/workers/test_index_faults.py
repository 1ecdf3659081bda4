"""What may go wrong while indexes of large namespaces are made, in the real database."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import psycopg
import pytest
from conftest import Postgres, Tenant
from pydantic import SecretStr
from workers.indexing import LEAST, MODEL, NAMESPACE, Connection, Searcher, clusters, fill, indexes, step

from aico.core.cache_index import Scope
from aico.core.errors import InvalidInput, Unavailable
from aico.store.cache_indexes import Indexer, Kept, index_name
from aico.workers import sweep
from aico.workers.index_keeper import IndexKeeper
from aico.workers.runtime import Runtime
from aico.workers.sweep import Sweeper

MANY = 50  # sweeps


def test_a_build_that_was_broken_off_is_made_again(
    admin: Connection, keeper: IndexKeeper, postgres: Postgres, searcher: Searcher, tenant: Tenant
) -> None:
    """A build waits for transactions that began before it; told to stop then, it leaves an index that is not whole."""
    vectors = clusters(LEAST)
    entries = fill(admin, tenant, vectors)
    stop = threading.Event()
    with psycopg.connect(postgres.admin_url) as older, ThreadPoolExecutor(1) as pool:
        older.execute("insert into cache_indexes values (%s, 'x', 'x', 'x', 'rejected', 0)", (tenant.id,))
        older.execute("lock table cache_vectors in row exclusive mode")
        building = pool.submit(keeper.step, stop)
        give_up = time.monotonic() + 30
        while not admin.execute(
            "select from pg_stat_progress_create_index where phase like 'waiting for writers%%'"
        ).fetchall():
            if time.monotonic() > give_up:
                break
        stop.set()
        with pytest.raises(Unavailable):
            building.result()
        older.rollback()
    assert indexes(admin, tenant) == [False]
    assert searcher.nearest(tenant, vectors[5])[0] == entries[5]
    assert step(keeper)[tenant.id] == "used"
    assert indexes(admin, tenant) == [True]


def test_an_index_that_cannot_be_built_leaves_nothing_behind_and_keeps_no_other_from_being_built(
    admin: Connection, keeper: IndexKeeper, searcher: Searcher, tenant: Tenant, make_tenant: Callable[[], Tenant]
) -> None:
    other = make_tenant()
    vectors = clusters(LEAST + 10)
    entries = fill(admin, tenant, vectors)
    fill(admin, other, vectors[:LEAST])
    admin.execute(
        "create function disk_is_full() returns event_trigger language plpgsql as $$ begin"
        f" if current_query() like 'create index%{index_name(Scope(tenant.id, NAMESPACE, MODEL))}%' then"
        " raise 'no space left' using errcode = 'disk_full'; end if; end $$"
    )
    admin.execute("create event trigger full_disk on ddl_command_end execute function disk_is_full()")
    try:
        states = step(keeper)
    finally:
        admin.execute("drop event trigger full_disk")
        admin.execute("drop function disk_is_full")
    assert (states[tenant.id], states[other.id]) == ("building", "used")
    assert indexes(admin, tenant) == []
    assert searcher.nearest(tenant, vectors[5])[0] == entries[5]
    assert step(keeper)[tenant.id] == "used"


def test_a_tenant_that_is_erased_before_its_index_is_built_keeps_no_other_from_theirs(
    admin: Connection,
    keeper: IndexKeeper,
    tenant: Tenant,
    make_tenant: Callable[[], Tenant],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = make_tenant()
    vectors = clusters(LEAST + 10)
    fill(admin, tenant, vectors)
    fill(admin, other, vectors[:LEAST])

    def surveyed(self: Indexer, least_rows: int) -> list[Kept]:
        found = survey(self, least_rows)
        admin.execute("delete from tenants where id = %s", (tenant.id,))
        return found

    survey = Indexer.survey
    monkeypatch.setattr(Indexer, "survey", surveyed)
    assert step(keeper) == {other.id: "used"}
    assert indexes(admin, tenant) == []


def test_a_database_that_is_yet_to_be_migrated_is_waited_for(postgres: Postgres) -> None:
    bare = postgres.admin_url.rpartition("/")[0] + "/template1"
    with pytest.raises(Unavailable):
        IndexKeeper(bare, least_rows=LEAST).step(threading.Event())


def test_a_sweeper_that_may_not_index_goes_on_sweeping(
    runtime: Runtime, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of the service's own role instead of the owner's: searches stay exact, and everything else works."""
    settings = runtime.settings.model_copy(update={"database_admin_url": SecretStr(postgres.url)})
    monkeypatch.setattr(sweep, "get_runtime", lambda: Runtime(settings, runtime.database, runtime.redis))
    monkeypatch.setattr(sweep, "TICK_SECONDS", 0.01)
    given_up, goes_on, stop = threading.Event(), threading.Event(), threading.Event()
    later = count()

    def run(self: IndexKeeper, stop: threading.Event) -> None:
        keep(self, stop)
        given_up.set()

    def sweeping(self: Sweeper) -> None:
        if given_up.is_set() and next(later) == MANY:
            goes_on.set()

    keep = IndexKeeper.run
    monkeypatch.setattr(IndexKeeper, "run", run)
    monkeypatch.setattr(Sweeper, "sweep", sweeping)
    with ThreadPoolExecutor(1) as pool:
        swept = pool.submit(sweep.main, stop)
        assert given_up.wait(20)
        went_on = goes_on.wait(20)
        stop.set()
        swept.result()
    assert went_on


def test_one_process_builds_at_a_time(admin: Connection, keeper: IndexKeeper, postgres: Postgres) -> None:
    with psycopg.connect(postgres.admin_url, autocommit=True) as busy:
        busy.execute("select pg_advisory_lock(4157105)")
        assert keeper.step(threading.Event()) is None
    assert keeper.step(threading.Event()) == []


def test_the_services_own_role_may_not(postgres: Postgres) -> None:
    keeper = IndexKeeper(postgres.url, least_rows=LEAST)
    with pytest.raises(InvalidInput, match="not that of the owner"):
        keeper.step(threading.Event())
    keeper.run(threading.Event())  # gives up and returns
