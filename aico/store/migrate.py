"""Applies the SQL migrations to a plain Postgres, keeping the Supabase CLI's own record of what was applied.

A database that the CLI has migrated is left as it is, and one that was migrated here is up to date for the CLI.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import sql

OWNER = "aico_owner"
APPLICATION = "aico_app"
_LOCK = 4_157_104  # any constant: concurrent runners queue behind one another
_FILE = re.compile(r"^(\d{14})_(\w+)\.sql$")

_RECORD = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text primary key, statements text[], name text
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: str
    name: str
    text: str


def migrations() -> Iterator[Migration]:
    """Every migration, oldest first."""
    folder = files("aico") / "migrations"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if found := _FILE.match(entry.name):
            yield Migration(found[1], found[2], entry.read_text())


def migrate(admin_url: str, application_password: str | None = None) -> list[str]:
    """Bring the database up to date and return the names of what was applied now.

    `admin_url` is a superuser's on plain Postgres, where the bootstrap runs first and migrations then run as an owner
    without superuser rights; on hosted Supabase it is the `postgres` role's. With `application_password`, the
    application's role may log in.
    """
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        if not _hosted(connection):
            connection.execute(_bootstrap())
        connection.execute(_RECORD)
        applied = {
            version for (version,) in connection.execute("select version from supabase_migrations.schema_migrations")
        }
        fresh = [migration for migration in migrations() if migration.version not in applied]
        for migration in fresh:
            _apply(connection, migration)
        if application_password is not None:
            _let_in(connection, APPLICATION, application_password)
        return [f"{migration.version}_{migration.name}" for migration in fresh]


def let_in(admin_url: str, role: str, password: str) -> None:
    """Allow one of the roles that the bootstrap or the migrations made to log in."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        _let_in(connection, role, password)


def pending(admin_url: str) -> list[str]:
    """Names of the migrations that are not applied yet."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        known = connection.execute("select to_regclass('supabase_migrations.schema_migrations') is not null").fetchone()
        rows = (
            connection.execute("select version from supabase_migrations.schema_migrations") if known == (True,) else ()
        )
        applied = {version for (version,) in rows}
        return [f"{entry.version}_{entry.name}" for entry in migrations() if entry.version not in applied]


def _let_in(connection: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    connection.execute(sql.SQL("alter role {} login password {}").format(sql.Identifier(role), password))


def _hosted(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    return connection.execute("select 1 from pg_roles where rolname = 'supabase_auth_admin'").fetchone() is not None


def _bootstrap() -> bytes:
    return (files("aico") / "migrations" / "bootstrap.sql").read_bytes()


def _apply(connection: psycopg.Connection[tuple[object, ...]], migration: Migration) -> None:
    with connection.transaction():
        if not _hosted(connection):
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
        connection.execute(migration.text.encode())
        connection.execute("reset role")
        connection.execute(
            "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
            (migration.version, migration.name, [migration.text]),
        )
