"""Each tenant's data is kept for as long as the tenant says, and what is deleted is found by an index."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import completed, new_job
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from store.test_put_back import aged

from aico.core.ids import new_id
from aico.core.jobs import CacheMode
from aico.store import backlog, cache, claims, files, jobs, retention, webhooks
from aico.store.blocking import Database
from aico.store.retention import Retention
from aico.store.scope import Scope

Sql = Callable[..., list[dict[str, Any]]]

SERVICE_DAYS = 30


@pytest.fixture
def sql(postgres: Postgres) -> Iterator[Sql]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as admin:

        def run(query: str, **values: Any) -> list[dict[str, Any]]:
            cursor = admin.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def three(make_tenant: Callable[[], Tenant], database: Database) -> tuple[UUID, UUID, UUID]:
    """Tenants who keep things for 5 days, as the service does, and for 60."""
    short, usual, long = (make_tenant().id for _ in range(3))
    for tenant, days in ((short, 5), (long, 60)):
        kept = Retention(jobs=days, cache=days, ledger=days, files=days, deliveries=days)
        database.run(Scope.tenant(tenant), retention.put(tenant, kept, "operator"))
    return short, usual, long


def ended(database: Database, sql: Sql, tenant: UUID, days: int) -> UUID:
    """A job that was made and ended so many days ago."""
    job = new_job(f"{days} days old", mode=CacheMode.OFF)
    database.run(Scope.tenant(tenant), jobs.submit(tenant, [job]))
    database.run(Scope.tenant(tenant), claims.finish(tenant, [completed(job.id, 0, keep=False)], 60))
    sql(
        "update jobs set id = %(old)s, created_at = created_at - make_interval(days => %(d)s),"
        " finished_at = finished_at - make_interval(days => %(d)s) where id = %(id)s",
        old=aged(job.id, days),
        d=days,
        id=job.id,
    )
    return aged(job.id, days)


def there(sql: Sql, table: str, tenants: tuple[UUID, ...]) -> list[int]:
    query = f"select count(*) as rows from {table} where tenant_id = %(t)s"  # noqa: S608 - of the tests below
    return [int(sql(query, t=tenant)[0]["rows"]) for tenant in tenants]


def test_jobs_are_kept_as_long_as_their_tenant_says(
    database: Database, sql: Sql, three: tuple[UUID, UUID, UUID]
) -> None:
    for tenant in three:
        for days in (1, 20, 40, 90):
            ended(database, sql, tenant, days)
    database.run(Scope.system(), backlog.purge(kept_days=SERVICE_DAYS, limit=1000))
    assert there(sql, "jobs", three) == [1, 2, 3]


def test_deletion_goes_on_page_by_page(database: Database, sql: Sql, three: tuple[UUID, UUID, UUID]) -> None:
    for tenant in three:
        for days in (70, 80, 90):
            ended(database, sql, tenant, days)
    while database.run(Scope.system(), backlog.purge(kept_days=SERVICE_DAYS, limit=2)) == [2]:
        pass
    assert there(sql, "jobs", three) == [0, 0, 0]


def test_answers_of_the_cache_are_kept_as_long_as_their_tenant_says(
    database: Database, sql: Sql, three: tuple[UUID, UUID, UUID]
) -> None:
    for tenant in three:
        job = new_job("kept", mode=CacheMode.EXACT)
        database.run(Scope.tenant(tenant), jobs.submit(tenant, [job]))
        database.run(Scope.tenant(tenant), claims.finish(tenant, [completed(job.id, 0)], 7 * 86_400))
    lives = "select round(extract(epoch from expires_at - created_at) / 86400) as days from cache_entries"
    assert [int(sql(f"{lives} where tenant_id = %(t)s", t=tenant)[0]["days"]) for tenant in three] == [5, 7, 60]
    sql("update cache_entries set created_at = created_at - interval '6 days'")
    database.run(Scope.system(), cache.purge_expired(1000))
    assert there(sql, "cache_entries", three) == [0, 1, 1]


def test_files_go_when_their_tenant_shortens_the_time(
    database: Database, sql: Sql, three: tuple[UUID, UUID, UUID]
) -> None:
    for tenant in three:
        file = aged(new_id(), 10)
        database.run(Scope.tenant(tenant), files.begin(tenant, file, "a", files.Purpose.BATCH))
        database.run(Scope.tenant(tenant), files.complete(tenant, file, 0, 30 * 86_400))
    database.run(Scope.system(), files.purge(limit=1000))
    assert there(sql, "files", three) == [0, 1, 1]


def test_deliveries_are_kept_as_long_as_their_tenant_says(
    database: Database, sql: Sql, three: tuple[UUID, UUID, UUID]
) -> None:
    for tenant in three:
        endpoint = new_id()
        add = webhooks.add(tenant, endpoint, "https://hooks.example.com", webhooks.make_secret(), [])
        database.run(Scope.tenant(tenant), add)
        for days in (1, 20, 40, 90):
            sql(
                "insert into webhook_deliveries (tenant_id, endpoint_id, event, payload, begun_at)"
                " values (%(t)s, %(e)s, 'x', '{}', now() - make_interval(days => %(d)s))",
                t=tenant,
                e=endpoint,
                d=days,
            )
    database.run(Scope.system(), webhooks.purge(older_than_days=SERVICE_DAYS, limit=1000))
    assert there(sql, "webhook_deliveries", three) == [1, 2, 3]


def test_words_beside_the_figures_of_the_ledger_go_and_the_figures_stay(
    database: Database, sql: Sql, three: tuple[UUID, UUID, UUID]
) -> None:
    for tenant in three:
        for days in (1, 20, 40, 90):
            sql(
                "insert into ledger_attempts (id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms,"
                " cost_cents, usage_raw, error) values (gen_random_uuid(), %(t)s, now() - make_interval(days => %(d)s),"
                " gen_random_uuid(), 'call', 'ok', 'p', 'm', 1, 2, '{}', 'words')",
                t=tenant,
                d=days,
            )
    purge = retention.purge_ledger_bodies(kept_days=SERVICE_DAYS, limit=2)
    while database.run(Scope.system(), purge) == [2]:
        pass
    counted = "select count(usage_raw) as raw, count(error) as errors, sum(cost_cents) as cents from ledger_attempts"
    found = [sql(f"{counted} where tenant_id = %(t)s", t=tenant)[0] for tenant in three]
    assert [(row["raw"], row["errors"], int(row["cents"])) for row in found] == [(1, 1, 8), (2, 2, 8), (3, 3, 8)]


def test_a_change_is_audited_once(database: Database, sql: Sql, tenant: Tenant) -> None:
    for _ in range(2):
        database.run(Scope.tenant(tenant.id), retention.put(tenant.id, Retention(jobs=3), "key:1"))
    rows = sql(
        "select actor, action, detail from audit_log where tenant_id = %(t)s and action ~ '^retention'", t=tenant.id
    )
    assert [(row["actor"], row["action"], row["detail"]["jobs_days"]) for row in rows] == [
        ("key:1", "retention.set", 3)
    ]


@pytest.mark.parametrize(
    ("table", "condition", "order", "index"),
    [
        ("jobs", "id < private.first_id_at(now() - interval '5 d') and finished_at < now()", "id", "jobs_pkey"),
        ("files", "id < private.first_id_at(now() - interval '5 d')", "id", "files_pkey"),
        ("cache_entries", "created_at < now() - interval '5 d'", "created_at", "cache_entries_age"),
        ("webhook_deliveries", "begun_at < now() - interval '5 d'", "begun_at", "webhook_deliveries_of_tenant"),
        (
            "ledger_attempts",
            "at < now() - interval '5 d' and (usage_raw is not null or error is not null)",
            "at",
            "tenant_id_at_idx",
        ),
    ],
)
def test_what_is_old_is_found_along_an_index(
    postgres: Postgres, tenant: Tenant, table: str, condition: str, order: str, index: str
) -> None:
    """Among few rows a scan is cheaper; what matters is that there is another way for many."""
    with psycopg.connect(postgres.admin_url) as connection:
        connection.execute("set enable_seqscan = off")
        connection.execute("set enable_bitmapscan = off")
        connection.execute("set enable_sort = off")
        where = f"tenant_id = %s and {condition} order by {order} limit 10"
        search = f"explain select id from {table} where {where}"  # noqa: S608 - of the cases above
        plan = "\n".join(row[0] for row in connection.execute(search.encode(), (tenant.id,)))
    assert index in plan
    assert "Index Cond: ((tenant_id = " in plan
    assert "Seq Scan" not in plan
    assert "Sort  (" not in plan
