"""Indexes of large namespaces: built, used, measured, rejected, repaired and dropped in the real database."""

from conftest import Postgres, Tenant
from pgvector import HalfVector
from psycopg import sql
from workers.indexing import LEAST, MODEL, NAMESPACE, Connection, Searcher, clusters, fill, indexes, step

from aico.core.cache_index import Scope
from aico.store.cache_indexes import index_name
from aico.workers.index_keeper import IndexKeeper


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


def test_without_indexes_every_search_is_exact_again(
    admin: Connection, keeper: IndexKeeper, postgres: Postgres, searcher: Searcher, tenant: Tenant
) -> None:
    vectors = clusters(LEAST)
    entries = fill(admin, tenant, vectors)
    step(keeper)
    assert step(IndexKeeper(postgres.admin_url, least_rows=0)) == {}
    assert indexes(admin, tenant) == []
    assert searcher.nearest(tenant, vectors[3])[0] == entries[3]
    assert not any("cache_near_" in plan for plan in searcher.plans)


def test_the_index_of_a_tenant_that_is_gone_is_dropped(admin: Connection, keeper: IndexKeeper, tenant: Tenant) -> None:
    fill(admin, tenant, clusters(LEAST))
    step(keeper)
    admin.execute("delete from tenants where id = %s", (tenant.id,))
    assert indexes(admin, tenant) == [True]
    step(keeper)
    assert indexes(admin, tenant) == []


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
