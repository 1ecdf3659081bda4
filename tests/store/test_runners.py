"""What the two runners promise: one transaction a call, each statement under its own scope."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant

from aico.store import jobs, webhooks
from aico.store.aio import AsyncDatabase
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.store.statement import Statement

Work = list[tuple[Scope, Statement[Any]]]
Runner = Callable[[Work], list[list[Any]]]

FAILING: Statement[Any] = Statement("select 1 / 0 as never", {}, lambda row: row)


@pytest.fixture(params=["blocking", "awaited"])
def run(request: pytest.FixtureRequest, database: Database, postgres: Postgres) -> Runner:
    async def awaited(work: Work) -> list[list[Any]]:
        opened = AsyncDatabase(postgres.url, max_size=1)
        await opened.open()
        try:
            return await opened.run_each(work)
        finally:
            await opened.close()

    return database.run_each if request.param == "blocking" else lambda work: asyncio.run(awaited(work))


def test_a_statement_that_fails_takes_back_those_before_it(run: Runner, tenant: Tenant) -> None:
    job = new_job("half a transaction")
    scope = Scope.tenant(tenant.id)
    with pytest.raises(psycopg.errors.DivisionByZero):
        run([(scope, jobs.submit(tenant.id, [job])), (scope, FAILING)])
    assert run([(scope, jobs.get(tenant.id, job.id))]) == [[]]


def test_a_connection_is_none_the_worse_for_a_statement_that_failed(postgres: Postgres, tenant: Tenant) -> None:
    """The failure comes in the pipeline in which the driver begins to prepare what it sends often."""
    database, scope = Database(postgres.url, max_size=1), Scope.tenant(tenant.id)
    database.open()
    try:
        often: Work = [(scope, jobs.page(tenant.id, after=None, status=None, limit=1))] * 8
        with pytest.raises(psycopg.errors.DivisionByZero):
            database.run_each([(scope, FAILING), *often])
        assert database.run_each(often) == [[]] * 8
    finally:
        database.close()


def test_each_statement_runs_under_its_own_scope(run: Runner, make_tenant: Callable[[], Tenant]) -> None:
    one, two = make_tenant(), make_tenant()
    page = jobs.page(one.id, after=None, status=None, limit=10)
    run([(Scope.tenant(one.id), jobs.submit(one.id, [new_job("mine")]))])
    found = run([(Scope.tenant(one.id), page), (Scope.tenant(two.id), page), (Scope.system(), page)])
    assert [len(rows) for rows in found] == [1, 0, 0]


def test_a_row_under_anothers_scope_fails_them_all(run: Runner, make_tenant: Callable[[], Tenant]) -> None:
    one, two = make_tenant(), make_tenant()
    mine, smuggled = new_job("mine"), new_job("smuggled")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        run(
            [
                (Scope.tenant(one.id), jobs.submit(one.id, [mine])),
                (Scope.tenant(two.id), jobs.submit(one.id, [smuggled])),
            ]
        )
    scope = Scope.tenant(one.id)
    assert run([(scope, jobs.get(one.id, mine.id)), (scope, jobs.get(one.id, smuggled.id))]) == [[], []]


def test_of_two_that_wait_for_each_other_one_is_run_again(
    database: Database, make_tenant: Callable[[], Tenant]
) -> None:
    one, two = make_tenant(), make_tenant()
    together = threading.Barrier(2)
    pause: Statement[Any] = Statement("select pg_sleep(0.2)", {}, lambda row: row)

    def lock(first: Tenant, second: Tenant) -> list[list[Any]]:
        together.wait()
        locks = [(Scope.tenant(tenant.id), webhooks.lock_tenant(tenant.id)) for tenant in (first, second)]
        work: Work = [locks[0], (Scope.system(), pause), locks[1]]
        locked, _, also = database.run_each(work)
        return [locked, also]

    with ThreadPoolExecutor(2) as threads:
        forth, back = threads.submit(lock, one, two), threads.submit(lock, two, one)
        assert forth.result() == [[one.id], [two.id]]
        assert back.result() == [[two.id], [one.id]]
