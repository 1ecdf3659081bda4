"""Nobody reads or writes another tenant's rows, whatever the service forgets."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from builders import new_job, unit_vector
from conftest import Postgres, Tenant
from isolation.filling import Connection, filled_pair
from psycopg import sql
from psycopg.rows import dict_row

from aico.store import jobs
from aico.store.blocking import Database
from aico.store.scope import ENTER, Scope


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
    return filled_pair(database, make_tenant, admin)


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
