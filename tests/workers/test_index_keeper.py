"""Indexes of large namespaces: built, used, measured, rejected, repaired and dropped in the real database."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from conftest import Postgres, Tenant
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql
from workers.indexing import MODEL, NAMESPACE, Connection, Vectors, administering, clusters, fill

from aico.core.cache_index import Scope
from aico.core.errors import InvalidInput, Unavailable
from aico.store.cache_indexes import index_name
from aico.workers.index_keeper import IndexKeeper

LEAST = 2000
NEAREST = "select id, similarity from private.nearest_entries(%s, %s, %s, %s, 0.8, 8)"


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with administering(postgres.admin_url) as connection:
        yield connection


@pytest.fixture
def keeper(postgres: Postgres) -> IndexKeeper:
    return IndexKeeper(postgres.admin_url, least_rows=LEAST)


def step(keeper: IndexKeeper) -> dict[UUID, str | None]:
    """The state of each tenant's index."""
    kept = keeper.step(threading.Event())
    assert kept is not None
    return {one.standing.scope.tenant: one.standing.state for one in kept}


def indexes(admin: Connection, tenant: Tenant) -> list[object]:
    name = index_name(Scope(tenant.id, NAMESPACE, MODEL))
    return [
        valid
        for (valid,) in admin.execute(
            "select x.indisvalid from pg_index x join pg_class c on c.oid = x.indexrelid where c.relname = %s", (name,)
        )
    ]


class Searcher:
    """As the service does it, for one tenant, with the plans of all that its functions run."""

    def __init__(self, admin_url: str, *tenants: Tenant) -> None:
        self._connection = psycopg.connect(admin_url, autocommit=True)
        self._connection.execute("set search_path = public, extensions")
        register_vector(self._connection)
        self._connection.execute("load 'auto_explain'")
        for name, value in (
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_nested_statements", "on"),
            ("client_min_messages", "log"),
            ("role", "aico_service"),
            ("aico.tenants", ",".join(str(tenant.id) for tenant in tenants)),
        ):
            self._connection.execute("select set_config(%s, %s, false)", (name, value))
        self.plans: list[str] = []
        self._connection.add_notice_handler(lambda notice: self.plans.append(notice.message_primary or ""))

    def nearest(self, tenant: Tenant, vector: Vectors, namespace: bytes = NAMESPACE) -> list[UUID]:
        self.plans.clear()
        rows = self._connection.execute(NEAREST, (tenant.id, namespace, MODEL, HalfVector(vector)))
        return [row[0] for row in rows]

    def searched(self, index: str) -> bool:
        return any(f"Index Scan using {index} " in plan for plan in self.plans)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def searcher(postgres: Postgres, tenant: Tenant) -> Iterator[Searcher]:
    opened = Searcher(postgres.admin_url, tenant)
    yield opened
    opened.close()


def test_a_large_namespace_is_searched_by_its_own_index_and_finds_what_exact_search_finds(
    admin: Connection, keeper: IndexKeeper, searcher: Searcher, tenant: Tenant
) -> None:
    vectors = clusters(LEAST)
    fill(admin, tenant, vectors)
    name = index_name(Scope(tenant.id, NAMESPACE, MODEL))
    exact = [searcher.nearest(tenant, vector) for vector in vectors[::100]]
    assert not searcher.searched(name)
    assert step(keeper)[tenant.id] == "used"
    by_index = [searcher.nearest(tenant, vector) for vector in vectors[::100]]
    assert searcher.searched(name)
    assert [found[0] for found in by_index] == [found[0] for found in exact]
    assert all(len(found) == 8 for found in by_index)
    (recalls,) = admin.execute("select recall, recall_8 from cache_indexes where tenant_id = %s", (tenant.id,))
    assert all(isinstance(share, float) and share >= 0.99 for share in recalls)


def test_a_small_namespace_of_the_same_tenant_stays_exact(
    admin: Connection, keeper: IndexKeeper, searcher: Searcher, tenant: Tenant
) -> None:
    fill(admin, tenant, clusters(LEAST))
    small = clusters(50, seed=2)
    entries = fill(admin, tenant, small, b"small")
    step(keeper)
    assert searcher.nearest(tenant, small[3], b"small")[0] == entries[3]
    assert not any("cache_near_" in plan for plan in searcher.plans)


def test_exact_search_reads_the_rows_of_the_namespace_together_and_no_others_answers(
    admin: Connection, searcher: Searcher, tenant: Tenant
) -> None:
    vectors = clusters(LEAST)
    entries = fill(admin, tenant, vectors)
    admin.execute("vacuum analyze cache_vectors, cache_entries")
    assert searcher.nearest(tenant, vectors[0])[0] == entries[0]
    plans = "\n".join(searcher.plans)
    assert "Index Only Scan using cache_vectors_scope" in plans
    assert "Seq Scan" not in plans


def test_members_searches_stay_exact(
    admin: Connection, keeper: IndexKeeper, searcher: Searcher, tenant: Tenant
) -> None:
    vectors = clusters(LEAST)
    entries = fill(admin, tenant, vectors)
    step(keeper)
    for _ in range(8):  # more often than Postgres makes a plan for each call before it keeps one
        rows = searcher._connection.execute(
            "select id from match_cache_entries(%s, %s, %s, %s)", (tenant.id, NAMESPACE, MODEL, HalfVector(vectors[7]))
        ).fetchall()
    assert rows == [(entries[7],)]
    assert not any("cache_near_" in plan for plan in searcher.plans)


def test_an_index_shows_nobody_anothers_rows(
    admin: Connection, keeper: IndexKeeper, postgres: Postgres, tenant: Tenant, make_tenant: object
) -> None:
    assert callable(make_tenant)
    other = make_tenant()
    vectors = clusters(LEAST)
    own, others = fill(admin, tenant, vectors), fill(admin, other, vectors[:100])
    step(keeper)
    stranger = Searcher(postgres.admin_url, other)
    both = Searcher(postgres.admin_url, tenant, other)
    try:
        for number in range(20):
            assert set(both.nearest(tenant, vectors[number])) <= set(own)
            assert stranger.nearest(other, vectors[number])[0] == others[number]
            assert stranger.nearest(tenant, vectors[number]) == []
    finally:
        stranger.close()
        both.close()


def test_an_index_that_misses_too_much_is_dropped_and_search_stays_exact(
    admin: Connection, keeper: IndexKeeper, searcher: Searcher, tenant: Tenant
) -> None:
    """One candidate a search is too few to find a neighbour too: real, and bad, recall."""
    vectors = clusters(LEAST)
    entries = fill(admin, tenant, vectors)
    admin.execute("alter function private.nearest_by_index set hnsw.ef_search = 1")
    admin.execute("alter function private.nearest_by_index set hnsw.iterative_scan = 'off'")
    try:
        assert step(keeper)[tenant.id] == "rejected"
    finally:
        admin.execute("alter function private.nearest_by_index set hnsw.ef_search = 100")
        admin.execute("alter function private.nearest_by_index set hnsw.iterative_scan = 'strict_order'")
    assert indexes(admin, tenant) == []
    assert searcher.nearest(tenant, vectors[5])[0] == entries[5]
    assert step(keeper)[tenant.id] == "rejected"  # not tried again before the namespace has grown
    fill(admin, tenant, clusters(LEAST, seed=3))
    assert step(keeper)[tenant.id] == "used"


def test_recall_is_measured_again_when_a_namespace_has_doubled(
    admin: Connection, keeper: IndexKeeper, tenant: Tenant
) -> None:
    decided = "select rows from cache_indexes where tenant_id = %s"
    fill(admin, tenant, clusters(LEAST))
    step(keeper)
    fill(admin, tenant, clusters(LEAST // 2, seed=2))
    step(keeper)
    assert admin.execute(decided, (tenant.id,)).fetchall() == [(LEAST,)]
    fill(admin, tenant, clusters(LEAST // 2, seed=3))
    assert step(keeper)[tenant.id] == "used"
    assert admin.execute(decided, (tenant.id,)).fetchall() == [(2 * LEAST,)]


def test_the_index_of_a_namespace_that_shrank_is_dropped(
    admin: Connection, keeper: IndexKeeper, searcher: Searcher, tenant: Tenant
) -> None:
    vectors = clusters(LEAST)
    entries = fill(admin, tenant, vectors)
    step(keeper)
    admin.execute("delete from cache_entries where id = any (%s)", (entries[: LEAST // 2 + 1],))
    assert tenant.id not in step(keeper)
    assert indexes(admin, tenant) == []
    assert searcher.nearest(tenant, vectors[-1])[0] == entries[-1]


def test_the_index_of_a_tenant_that_is_gone_is_dropped(admin: Connection, keeper: IndexKeeper, tenant: Tenant) -> None:
    fill(admin, tenant, clusters(LEAST))
    step(keeper)
    admin.execute("delete from tenants where id = %s", (tenant.id,))
    assert indexes(admin, tenant) == [True]
    step(keeper)
    assert indexes(admin, tenant) == []


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


def test_new_rows_are_found_by_the_index_at_once_and_expired_ones_never(
    admin: Connection, keeper: IndexKeeper, searcher: Searcher, tenant: Tenant
) -> None:
    entries = fill(admin, tenant, clusters(LEAST))
    step(keeper)
    fresh = clusters(10, seed=9)
    later = fill(admin, tenant, fresh)
    assert searcher.nearest(tenant, fresh[0])[0] == later[0]
    admin.execute("update cache_vectors set expires_at = now() where entry_id = %s", (later[0],))
    found = searcher.nearest(tenant, fresh[0])
    assert found
    assert later[0] not in found
    assert set(found) <= {*later, *entries}


def test_names_of_indexes_are_made_of_harmless_characters_whatever_the_namespace_is(
    admin: Connection, keeper: IndexKeeper, tenant: Tenant
) -> None:
    namespace = b"'); drop table cache_vectors; --\x00\xff"
    fill(admin, tenant, clusters(LEAST), namespace)
    assert step(keeper)[tenant.id] == "used"
    name = index_name(Scope(tenant.id, namespace, MODEL))
    assert name.replace("_", "").isalnum()
    assert admin.execute(
        sql.SQL("select {}::regclass is not null").format(sql.Literal(f"public.{name}"))
    ).fetchone() == (True,)
