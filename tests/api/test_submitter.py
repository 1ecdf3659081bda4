"""Group commit, seen from inside: one transaction for many, and one bad row that spoils only itself."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio
from api.conftest import Rows, Rung, wait_until
from builders import new_job
from conftest import Postgres, Tenant
from quotaing import MONTHLY_TOKENS, Budgets

from aico.api.submitter import Submitter
from aico.core.quotas import Expected
from aico.store.aio import AsyncDatabase
from aico.store.blocking import Database
from aico.store.jobs import NewJob, Submitted

Outcomes = list[Submitted | BaseException]


class CountingDatabase(AsyncDatabase):
    transactions = 0

    async def run_each(self, work: Any) -> Any:
        self.transactions += 1
        return await super().run_each(work)


@pytest.fixture
def submit(postgres: Postgres, own_redis_url: str) -> Callable[..., tuple[Outcomes, int]]:
    """All at once into one submitter; what became of each, and how many transactions it took."""

    async def run(submits: list[tuple[Tenant, NewJob]], limit: int) -> tuple[Outcomes, int]:
        database = CountingDatabase(postgres.url, max_size=1)
        await database.open()
        async with redis.asyncio.Redis.from_url(own_redis_url, decode_responses=True) as broker:
            submitter = Submitter(database, broker, limit=limit, transactions=1)
            waiting: list[Coroutine[Any, Any, Submitted]] = [
                submitter.submit(tenant.id, job) for tenant, job in submits
            ]
            outcomes: Outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            if submitter._ringing is not None:
                await submitter._ringing
        await database.close()
        return outcomes, database.transactions

    return lambda submits, limit=256: asyncio.run(run(submits, limit))


def test_what_arrives_during_a_transaction_shares_the_next(
    submit: Callable[..., tuple[Outcomes, int]], make_tenant: Callable[[], Tenant], rows: Rows, rung: Rung
) -> None:
    tenants = [make_tenant(), make_tenant()]
    submits = [(tenants[number % 2], new_job(f"grouped {number}")) for number in range(21)]
    outcomes, transactions = submit(submits)
    assert [stored.id for stored in outcomes if isinstance(stored, Submitted)] == [job.id for _, job in submits]
    assert transactions == 2  # the first alone, the other twenty together
    assert [rows.jobs(tenant.id) for tenant in tenants] == [11, 10]
    wait_until(lambda: all(rung(job.id) == ["embed"] for _, job in submits))


def test_a_group_is_never_larger_than_its_limit(submit: Callable[..., tuple[Outcomes, int]], tenant: Tenant) -> None:
    _, transactions = submit([(tenant, new_job(f"limited {number}")) for number in range(21)], limit=5)
    assert transactions == 5  # one, then four of five


def test_one_bad_row_spoils_only_itself(
    submit: Callable[..., tuple[Outcomes, int]], tenant: Tenant, rows: Rows
) -> None:
    good = [new_job(f"good {number}") for number in range(3)]
    bad = replace(new_job("bad"), max_retries=2**20)  # no column holds that
    outcomes, _ = submit([(tenant, job) for job in (good[0], good[1], bad, good[2])])
    assert [isinstance(outcome, Submitted) for outcome in outcomes] == [True, True, False, True]
    assert rows.jobs(tenant.id) == 3


def test_groups_of_many_limited_tenants_in_opposite_orders_all_come_through(
    postgres: Postgres, own_redis_url: str, database: Database, make_tenant: Callable[[], Tenant]
) -> None:
    """Each group locks every tenant: without one order for all they would wait for each other."""
    everyone = [Budgets(database, make_tenant().id) for _ in range(8)]
    for budget in everyone:
        budget.limit(MONTHLY_TOKENS, 1_000_000)

    async def run() -> list[Submitted]:
        databases = [CountingDatabase(postgres.url, max_size=2) for _ in range(4)]
        for opened in databases:
            await opened.open()
        async with redis.asyncio.Redis.from_url(own_redis_url, decode_responses=True) as broker:
            submitters = [Submitter(opened, broker, transactions=2) for opened in databases]
            waiting = [
                submitter.submit(budget.tenant, replace(new_job("crossed"), expected=Expected(1)))
                for number, submitter in enumerate(submitters)
                for budget in (everyone if number % 2 else everyone[::-1]) * 10
            ]
            stored = await asyncio.gather(*waiting)
            for submitter in submitters:
                if submitter._ringing is not None:
                    await submitter._ringing
        for opened in databases:
            await opened.close()
        return stored

    assert len(asyncio.run(run())) == 4 * 10 * len(everyone)
    assert [budget.figures() for budget in everyone] == [(0, 40)] * len(everyone)
