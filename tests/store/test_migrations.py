import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from conftest import Postgres
from psycopg import sql

from aico.store import migrate as runner
from aico.store.migrate import migrate, migrations, pending


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    """The admin's address of a database that nothing has touched."""
    name = sql.Identifier("empty_one")
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
        yield postgres.admin_url.rpartition("/")[0] + "/empty_one"
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def test_migrations_apply_once_and_are_recorded_as_the_supabase_cli_does(empty: str) -> None:
    names = [f"{migration.version}_{migration.name}" for migration in migrations()]
    assert pending(empty) == names
    assert migrate(empty) == names
    assert pending(empty) == []
    assert migrate(empty) == []
    with psycopg.connect(empty) as connection:
        rows = connection.execute(
            "select version, name, statements from supabase_migrations.schema_migrations"
        ).fetchall()
    assert sorted(f"{version}_{name}" for version, name, _ in rows) == names
    assert all(len(statements) == 1 for _, _, statements in rows)


def test_a_migration_that_fails_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [*migrations(), runner.Migration("20990101000000", "broken", "create table half (); select 1/0;")]
    monkeypatch.setattr(runner, "migrations", lambda: iter(broken))
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty)
    with psycopg.connect(empty) as connection:
        assert connection.execute("select to_regclass('public.half')").fetchone() == (None,)
    assert pending(empty) == ["20990101000000_broken"]


def test_the_owner_of_what_migrations_make_is_no_superuser(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty) as connection:
        owners = connection.execute(
            "select distinct r.rolname, r.rolsuper from pg_class c join pg_roles r on r.oid = c.relowner"
            " where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
        ).fetchall()
    assert owners == [("aico_owner", False)]


def test_a_database_from_before_there_were_accounts_gets_them_and_keeps_its_people(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("create schema auth")
        connection.execute(
            "create table auth.users (id uuid primary key default gen_random_uuid(), email text unique,"
            " created_at timestamptz not null default now())"
        )
        connection.execute("insert into auth.users (email) values ('ann@example.com')")
        migrate(empty)
        migrate(empty)
        assert connection.execute("select email, role, encrypted_password from auth.users").fetchall() == [
            ("ann@example.com", "authenticated", None)
        ]
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into auth.users (email) values ('Ann@example.com')")
        tables = connection.execute(
            "select relname, relrowsecurity from pg_class where relnamespace = 'auth'::regnamespace and relkind = 'r'"
        ).fetchall()
        assert dict(tables) == {"users": True, "sessions": True, "refresh_tokens": True}


def test_the_bootstrap_refuses_a_hosted_project(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("create role supabase_auth_admin")
        try:
            with pytest.raises(psycopg.errors.RaiseException, match="needs no bootstrap"):
                connection.execute(runner._bootstrap())
        finally:
            connection.execute("drop role supabase_auth_admin")


def test_file_names_suit_the_supabase_cli() -> None:
    folder = Path(__file__).parents[2] / "supabase" / "migrations"
    names = sorted(file.name for file in folder.iterdir() if file.suffix == ".sql" and file.name != "bootstrap.sql")
    assert names
    assert all(re.fullmatch(r"\d{14}_[a-z0-9_]+\.sql", name) for name in names)
