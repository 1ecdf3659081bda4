"""Nobody reads or writes another tenant's rows, whatever the service forgets."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from builders import ending_of, new_job, unit_vector
from conftest import Postgres, Tenant
from psycopg import sql
from psycopg.rows import dict_row

from aico.core.jobs import CacheMode
from aico.store import claims, jobs
from aico.store.blocking import Database
from aico.store.scope import ENTER, Scope

Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection


@pytest.fixture
def application(postgres: Postgres) -> Iterator[Connection]:
    """As the service logs in; everything that a test does is rolled back."""
    with psycopg.connect(postgres.url, row_factory=dict_row) as connection:
        yield connection
        connection.rollback()


def tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1"
    )
    return [row["relname"] for row in rows]


def key_column(table: str) -> str:
    return "id" if table == "tenants" else "tenant_id"


def enter(connection: Connection, scope: Scope) -> None:
    connection.execute(ENTER, scope.params)


def visible(connection: Connection, table: str) -> set[UUID]:
    query = sql.SQL("select distinct {} as tenant from {}").format(
        sql.Identifier(key_column(table)), sql.Identifier("public", table)
    )
    return {row["tenant"] for row in connection.execute(query)}


@pytest.fixture
def filled(database: Database, make_tenant: Callable[[], Tenant], admin: Connection) -> tuple[Tenant, Tenant]:
    """Two tenants, each with a row in every table."""
    pair = make_tenant(), make_tenant()
    for tenant in pair:
        scope = Scope.tenant(tenant.id)
        job = new_job("private", mode=CacheMode.SEMANTIC)
        database.run(scope, jobs.submit(tenant.id, [job]))
        found = database.run(scope, claims.to_embed(tenant.id, [job.id], 0.95))
        database.run(scope, claims.advance(tenant.id, found, np.stack([unit_vector(1)]), "variant"))
        (held,) = database.run(scope, claims.claim(tenant.id, job.id, 30))
        database.run(scope, claims.finish(tenant.id, [ending_of(held)], 60))
        _fill_the_rest(admin, tenant.id, job.id)
    return pair


def _fill_the_rest(admin: Connection, tenant: UUID, job: UUID) -> None:
    user, experiment, endpoint, file, batch = (uuid4() for _ in range(5))
    attempt = (
        "(id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms)"
        " values (gen_random_uuid(), %(t)s, now(), %(j)s, 'call', 'ok', 'p', 'm', 1)"
    )
    for statement in (
        "insert into auth.users (id) values (%(u)s)",
        "insert into members (tenant_id, user_id, role) values (%(t)s, %(u)s, 'owner')",
        "insert into files (tenant_id, id, filename, purpose, expires_at) values (%(t)s, %(f)s, 'a', 'batch', now())",
        "insert into file_chunks (tenant_id, file_id, position, data) values (%(t)s, %(f)s, 0, 'x')",
        (
            "insert into batches (id, tenant_id, status, endpoint, completion_window, deadline, output_ttl_seconds,"
            " input_file_id) values (%(b)s, %(t)s, 'in_progress', '/v1/x', '24h', now(), 1, %(f)s)"
        ),
        "insert into batch_faults (tenant_id, batch_id, line, custom_id, error) values (%(t)s, %(b)s, 1, 'c', '{}')",
        f"insert into ledger_outbox {attempt}",
        f"insert into ledger_attempts {attempt}",
        "insert into rollups values (%(t)s, 'day', now(), 'call', 'provider', 'model')",
        "insert into experiments (id, tenant_id, name) values (%(x)s, %(t)s, 'x')",
        "insert into assignments (tenant_id, experiment_id, unit, arm, propensity) values (%(t)s, %(x)s, 'u', 'a', 1)",
        "insert into feedback (tenant_id, job_id, score, source) values (%(t)s, %(j)s, 1, 'user')",
        "insert into outcomes (tenant_id, job_id, model, quality) values (%(t)s, %(j)s, 'm', 1)",
        "insert into webhook_endpoints (id, tenant_id, url, secret) values (%(e)s, %(t)s, 'https://a.test', 'x')",
        "insert into webhook_deliveries (tenant_id, endpoint_id, event, payload) values (%(t)s, %(e)s, 'x', '{}')",
        "insert into tenant_shares (tenant_id, class) values (%(t)s, 'batch')",
        (
            "insert into idempotency_keys (tenant_id, key, request_hash, job_id, expires_at)"
            " values (%(t)s, 'k', sha256('x'), %(j)s, now())"
        ),
        (
            "insert into provider_batches (tenant_id, id, provider, model, status, lines, deadline)"
            " values (%(t)s, gen_random_uuid(), 'p', 'm', 'running', 1, now())"
        ),
        "insert into quotas (tenant_id, period, unit, quota) values (%(t)s, 'day', 'tokens', 1)",
        (
            "insert into quota_windows (tenant_id, scope, period, unit, starts_at)"
            " values (%(t)s, 'tenant', 'day', 'tokens', now())"
        ),
        "insert into alerts (tenant_id, kind, occasion, detail) values (%(t)s, 'spend.anomaly', 'x', '{}')",
        "insert into audit_log (tenant_id, actor, action, subject) values (%(t)s, 'a', 'b', 'c')",
    ):
        values = {"t": tenant, "j": job, "u": user, "x": experiment, "e": endpoint, "f": file, "b": batch}
        admin.execute(statement, values)


def test_the_service_logs_in_as_a_role_that_owns_and_bypasses_nothing(admin: Connection) -> None:
    row = admin.execute(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolinherit,"
        " exists (select from pg_class where relowner = pg_roles.oid) as owns from pg_roles where rolname = 'aico_app'"
    ).fetchone()
    assert row is not None
    assert not any(row.values()), row


def test_every_table_forces_row_level_security_and_has_policies(admin: Connection) -> None:
    rows = admin.execute(
        "select c.relname, c.relrowsecurity and c.relforcerowsecurity as forced,"
        " array_agg(p.polname::text order by p.polname) as policies"
        " from pg_class c left join pg_policy p on p.polrelid = c.oid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') group by c.oid"
    ).fetchall()
    assert len(rows) >= 18
    assert {row["relname"]: (row["forced"], row["policies"]) for row in rows} == {
        row["relname"]: (True, ["member_reads", "service_works"]) for row in rows
    }


def test_partitions_cannot_be_read_around_the_parent(application: Connection, filled: tuple[Tenant, Tenant]) -> None:
    enter(application, Scope.tenant(filled[0].id))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute("select * from private.ledger_attempts_default")


def test_without_a_role_nothing_can_be_read(application: Connection, admin: Connection) -> None:
    for table in tables(admin):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), application.transaction():
            visible(application, table)


def test_a_forgotten_tenant_reads_nothing(
    application: Connection, admin: Connection, filled: tuple[Tenant, Tenant]
) -> None:
    enter(application, Scope.system())
    for table in tables(admin):
        assert visible(application, table) == set(), table


def test_the_service_sees_the_tenant_that_it_names_and_no_other(
    application: Connection, admin: Connection, filled: tuple[Tenant, Tenant]
) -> None:
    first, second = filled
    enter(application, Scope.tenant(first.id))
    for table in tables(admin):
        seen = visible(application, table)
        assert first.id in seen, f"{table} was not filled"
        assert second.id not in seen, table


def test_no_row_of_another_tenant_can_be_changed_or_taken(
    application: Connection, admin: Connection, filled: tuple[Tenant, Tenant]
) -> None:
    first, second = filled
    enter(application, Scope.tenant(first.id))
    for table in set(tables(admin)) - {"ledger_attempts", "audit_log"}:
        name, key = sql.Identifier("public", table), sql.Identifier(key_column(table))
        for statement in ("update {name} set {key} = {key} where {key} = %s", "delete from {name} where {key} = %s"):
            changed = application.execute(sql.SQL(statement).format(name=name, key=key), (second.id,))
            assert changed.rowcount == 0, (table, statement)
        moved = sql.SQL("update {name} set {key} = %s where {key} = %s").format(name=name, key=key)
        with pytest.raises(psycopg.Error, match="row-level security"), application.transaction():
            application.execute(moved, (second.id, first.id))


def test_the_ledger_is_append_only_for_the_service(application: Connection, filled: tuple[Tenant, Tenant]) -> None:
    enter(application, Scope.tenant(filled[0].id))
    for statement in (
        "update ledger_attempts set cost_cents = 0",
        "delete from ledger_attempts",
        "delete from audit_log",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), application.transaction():
            application.execute(statement)


def test_a_member_reads_the_own_tenant_and_writes_nothing(
    application: Connection, admin: Connection, filled: tuple[Tenant, Tenant]
) -> None:
    first, second = filled
    row = admin.execute("select user_id from members where tenant_id = %s", (first.id,)).fetchone()
    assert row is not None
    enter(application, Scope.user(row["user_id"]))
    hidden = {"api_keys", "ledger_outbox", "webhook_endpoints"}
    for table in set(tables(admin)) - hidden:
        assert visible(application, table) == {first.id}, table
        with pytest.raises(psycopg.errors.InsufficientPrivilege), application.transaction():
            application.execute(sql.SQL("delete from {}").format(sql.Identifier("public", table)))
    for secret in ("select hash from api_keys", "select secret from webhook_endpoints", "select * from ledger_outbox"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), application.transaction():
            application.execute(secret)
    stats = application.execute("select * from get_user_cache_stats()").fetchall()
    assert [(row["tenant_id"], row["entries"]) for row in stats] == [(first.id, 1)]
    matches = "select id from match_cache_entries(%s, %s, 'variant', %s::extensions.halfvec, 0.1)"
    vector = str(unit_vector(1).tolist())
    namespace = new_job("private").key.namespace
    assert len(application.execute(matches, (first.id, namespace, vector)).fetchall()) == 1
    assert application.execute(matches, (second.id, namespace, vector)).fetchall() == []


def test_a_member_cannot_name_tenants_as_the_service_does(
    application: Connection, filled: tuple[Tenant, Tenant]
) -> None:
    enter(application, Scope.user(uuid4()))
    application.execute("select set_config('aico.tenants', %s, true)", (str(filled[0].id),))
    assert visible(application, "jobs") == set()


def test_strangers_have_no_rights(application: Connection, admin: Connection) -> None:
    granted = admin.execute(
        "select table_name, privilege_type from information_schema.role_table_grants"
        " where grantee in ('anon', 'PUBLIC') and table_schema in ('public', 'private')"
    ).fetchall()
    assert granted == []
    callable_by_users = admin.execute(
        "select p.proname from pg_proc p where pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
        " and has_function_privilege('authenticated', p.oid, 'execute') order by 1"
    ).fetchall()
    assert [row["proname"] for row in callable_by_users] == [
        "get_user_cache_stats",
        "match_cache_entries",
        "my_tenants",
    ]


def test_a_scope_ends_with_its_transaction(database: Database, filled: tuple[Tenant, Tenant]) -> None:
    first, _ = filled
    count = jobs.page(first.id, after=None, status=None, limit=1)
    assert len(database.run(Scope.tenant(first.id), count)) == 1
    assert database.run(Scope.system(), count) == []
