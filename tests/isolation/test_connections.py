"""A connection of the pool knows nothing of whoever had it before, however that ended."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant

import aico.store
from aico.core.errors import Unavailable
from aico.store import jobs
from aico.store.aio import AsyncDatabase
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.statement import Statement, named_sql

LASTING = re.compile(
    r"\b(set\s+session|set_config|listen|prepare|create\s+temp|pg_(try_)?advisory_lock)\b", re.IGNORECASE
)

# What the session says of itself, under no scope at all: read by a connection that nobody prepared.
STATE = (
    "select current_user::text as role, session_user::text as login, pg_backend_pid() as session,"
    " coalesce(current_setting('aico.tenants', true), '') as tenants,"
    " coalesce(current_setting('request.jwt.claims', true), '') as claims,"
    " current_setting('synchronous_commit') as commit"
)
FRESH = {"role": "aico_app", "login": "aico_app", "tenants": "", "claims": "", "commit": "on"}


def raw(sql: str) -> Statement[dict[str, Any]]:
    return Statement(sql, {}, lambda row: row)


FAILURES = {
    "an error": "select 1 / 0",
    "a right that is missing": "select * from private.totals",
    "a syntax error": "selec 1",
    "an error in a function": "select private.announce(null, null, '{1,2')",
    "a session that is ended": "select pg_terminate_backend(pg_backend_pid())",
    "a role that is left behind": "do $$ begin perform set_config('role', 'authenticated', true); raise 'left'; end $$",
}


@pytest.fixture
def only(postgres: Postgres) -> Iterator[Database]:
    """A pool of one connection, so that the next user gets the same."""
    database = Database(postgres.url, max_size=1)
    database.open()
    yield database
    database.close()


def assert_fresh(state: dict[str, Any]) -> None:
    assert {name: value for name, value in state.items() if name != "session"} == FRESH


def state_of(database: Database) -> dict[str, Any]:
    with database._pool.connection() as connection:
        cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
        row = cursor.execute(STATE.encode()).fetchone()
        assert row is not None
        return row


async def awaited_state_of(database: AsyncDatabase) -> dict[str, Any]:
    async with database._pool.connection() as connection:
        cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
        row = await (await cursor.execute(STATE.encode())).fetchone()
        assert row is not None
        return row


def awaiting(postgres: Postgres, use: Callable[[AsyncDatabase], Awaitable[None]]) -> None:
    async def whole() -> None:
        database = AsyncDatabase(postgres.url, max_size=1)
        await database.open()
        try:
            await use(database)
        finally:
            await database.close()

    asyncio.run(whole())


def test_a_scope_ends_with_its_transaction(only: Database, tenant: Tenant) -> None:
    only.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [new_job("mine")]))
    count = jobs.page(tenant.id, after=None, status=None, limit=1)
    assert len(only.run(Scope.tenant(tenant.id, durable=False), count)) == 1
    assert_fresh(state_of(only))
    assert only.run(Scope.system(), count) == []


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_nothing_is_left_after_a_failure(only: Database, tenant: Tenant, failure: str) -> None:
    with pytest.raises((psycopg.Error, Unavailable)):
        only.run_each(
            [
                (Scope.tenant(tenant.id, durable=False), raw("select 1 as one")),
                (Scope.user(tenant.id), raw(failure)),
                (Scope.tenant(tenant.id), raw("select 2 as two")),
            ]
        )
    assert_fresh(state_of(only))


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_nothing_is_left_after_a_failure_that_was_awaited(postgres: Postgres, tenant: Tenant, failure: str) -> None:
    async def use(database: AsyncDatabase) -> None:
        with pytest.raises((psycopg.Error, Unavailable)):
            await database.run_each(
                [
                    (Scope.tenant(tenant.id, durable=False), raw("select 1 as one")),
                    (Scope.user(tenant.id), raw(failure)),
                ]
            )
        assert_fresh(await awaited_state_of(database))

    awaiting(postgres, use)


def test_nothing_is_left_of_who_gave_up_in_the_middle(postgres: Postgres, tenant: Tenant) -> None:
    """Cancelled while the statements are on their way, and while a result is awaited."""

    async def use(database: AsyncDatabase) -> None:
        scope = Scope.tenant(tenant.id)
        for seconds in (0.0, 0.0, 0.05, 0.05, 0.2):
            running = asyncio.create_task(
                database.run_each([(scope, raw("select 1 as one")), (scope, raw("select pg_sleep(30) as slept"))])
            )
            await asyncio.sleep(seconds)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert_fresh(await awaited_state_of(database))
            assert await database.run(Scope.system(), raw("select id from jobs")) == []

    awaiting(postgres, use)


def test_a_parse_that_fails_leaves_nothing(only: Database, tenant: Tenant) -> None:
    broken: Statement[None] = Statement("select 1 as one", {}, lambda row: row["two"])
    with pytest.raises(KeyError):
        only.run(Scope.tenant(tenant.id), broken)
    assert_fresh(state_of(only))


def test_the_login_takes_no_other_role(only: Database) -> None:
    for role in ("aico_owner", "postgres", "service_role", "anon", "authenticator"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            only.run(Scope(role), raw("select 1 as one"))
        assert_fresh(state_of(only))


def test_partitions_cannot_be_read_around_their_parent(only: Database, tenant: Tenant) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        only.run(Scope.tenant(tenant.id), raw("select * from private.ledger_attempts_default"))


@pytest.mark.parametrize("noun", [file.stem for file in sorted(Path(aico.store.__file__).parent.glob("*.sql"))])
def test_no_statement_leaves_anything_in_the_session(noun: str) -> None:
    assert [name for name, text in named_sql(noun).items() if LASTING.search(text)] == []


def test_many_who_share_few_connections_see_their_own(postgres: Postgres, make_tenant: Callable[[], Tenant]) -> None:
    """A fifth of them fail or give up, and leave their connection to somebody else."""
    tenants = [make_tenant() for _ in range(8)]

    async def use(_: AsyncDatabase) -> None:
        database = AsyncDatabase(postgres.url, max_size=2)
        await database.open()
        try:
            for tenant in tenants:
                await database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [new_job("mine")]))
            seen = await asyncio.gather(*(_look(database, tenants[number % 8].id, number) for number in range(200)))
        finally:
            await database.close()
        assert [owners for owners in seen if owners is not None] == [
            {tenants[number % 8].id} for number in range(200) if number % 5
        ]

    awaiting(postgres, use)


async def _look(database: AsyncDatabase, tenant: UUID, number: int) -> set[UUID] | None:
    """Whose jobs this tenant sees; None for one that fails or gives up."""
    scope = Scope.tenant(tenant)
    if number % 10 == 0:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await database.run(scope, raw("select 1 / 0"))
        return None
    if number % 5 == 0:
        running = asyncio.create_task(database.run(scope, raw("select pg_sleep(30)")))
        await asyncio.sleep(0.01 * (number % 3))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return None
    return {row["tenant_id"] for row in await database.run(scope, raw("select tenant_id from jobs"))}
