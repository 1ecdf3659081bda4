"""What is said of a job as a whole counts once: with the ending that stands."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import completed, ending_of, new_job
from conftest import Tenant

from aico.core.assignment import ROUTED, Assigned
from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, JobError, JobStatus
from aico.store import claims, jobs, ledger
from aico.store.blocking import Database
from aico.store.claims import Ending
from aico.store.scope import Scope


def attempted(outcome: AttemptOutcome, cents: str) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.CALL,
        outcome=outcome,
        provider="p",
        model="m",
        latency_ms=3,
        cost_cents=Decimal(cents),
    )


class World:
    def __init__(self, database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> None:
        self.database, self.tenant, self.scope, self.admin = database, tenant.id, Scope.tenant(tenant.id), admin

    def run(self, statement: Any) -> list[Any]:
        return self.database.run(self.scope, statement)

    def submitted(self) -> UUID:
        job = replace(new_job("prompt", mode=CacheMode.OFF), assigned=Assigned(arms=(ROUTED,)))
        self.run(jobs.submit(self.tenant, [job]))
        return job.id

    def end(self, ending: Ending, cents: str) -> Sequence[Any]:
        attempt = attempted(AttemptOutcome.OK, cents)
        baseline = Baseline(model="b", cost_cents=Decimal(10))
        whole = replace(ending, attempts=(attempt,), baseline=baseline, arms=(ROUTED,))
        return self.run(claims.finish(self.tenant, [whole], 60))

    def booked(self, job: UUID) -> tuple[Any, ...]:
        """Cents and baseline of all attempts, then jobs and cents of the arm."""
        self.run(ledger.book([self.tenant], [job]))
        row = self.admin.execute(
            "select (select sum(cost_cents)::real from ledger_attempts where job_id = %(job)s) as cents,"
            " (select sum(baseline_cost_cents)::real from ledger_attempts where job_id = %(job)s) as baseline,"
            " r.answered, r.cents::real as arm_cents from arm_rollups r where r.tenant_id = %(tenant)s",
            {"job": job, "tenant": self.tenant},
        ).fetchone()
        assert row is not None
        return tuple(row.values())


@pytest.fixture
def world(database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> World:
    return World(database, tenant, admin)


def test_an_ending_that_does_not_stand_is_paid_for_and_counts_in_no_arm(world: World) -> None:
    job = world.submitted()
    (first,) = world.run(claims.claim(world.tenant, job, 0))
    (second,) = world.run(claims.claim(world.tenant, job, 30))
    assert [len(world.end(ending_of(held), cents)) for held, cents in ((first, "1"), (second, "2"), (first, "4"))] == [
        *(0, 1, 0)
    ]
    assert world.booked(job) == (7.0, 10.0, 1, 2.0)


def test_a_hit_whose_answer_was_erased_meanwhile_is_no_answer_of_the_job(world: World) -> None:
    job = world.submitted()
    assert world.end(replace(completed(job, 0), entry=new_id()), "1") == []
    (held,) = world.run(claims.claim(world.tenant, job, 30))
    assert world.end(ending_of(held), "2")
    assert world.booked(job) == (3.0, 10.0, 1, 2.0)


def test_a_failure_that_was_noted_before_the_end_is_the_end_all_the_same(world: World) -> None:
    """Holders note what fails in case they die; what is noted is not the last word on the job."""
    job = world.submitted()
    (held,) = world.run(claims.claim(world.tenant, job, 30))
    failure = attempted(AttemptOutcome.FATAL, "3")
    world.run(claims.note([], [(held, failure)]))
    error = JobError(code="all_candidates_failed", message="nobody answered")
    ending = Ending(job, held.fence, JobStatus.FAILED, error=error, attempts=(failure,), arms=(ROUTED,))
    finish = claims.finish(world.tenant, [ending], 60)
    assert [len(world.run(finish)) for _ in range(2)] == [1, 0]  # said again, as if nobody had heard the answer
    world.run(ledger.book([world.tenant], [job]))
    row = world.admin.execute(
        "select r.failed, r.cents::real as cents, (select sum(requests) - sum(answered) from metric_rollups m"
        "  where m.tenant_id = r.tenant_id and grain = 'day' and dimension = 'lever') as requests"
        " from arm_rollups r where r.tenant_id = %s",
        (world.tenant,),
    ).fetchone()
    assert row is not None
    assert tuple(row.values()) == (1, 3.0, 1)


def test_a_failure_that_was_noted_is_of_the_strategy_that_chose_it(world: World) -> None:
    job = world.submitted()
    (held,) = world.run(claims.claim(world.tenant, job, 30))
    failure, answer = attempted(AttemptOutcome.RETRYABLE, "1"), attempted(AttemptOutcome.OK, "2")
    world.run(claims.note([], [(held, failure)]))
    ending = replace(ending_of(held), attempts=(failure, answer), policy=Policy(strategy="cascade"))
    assert world.run(claims.finish(world.tenant, [ending], 60))
    world.run(ledger.book([world.tenant], [job]))
    rows = world.admin.execute(
        "select name, attempts, requests, answered from metric_rollups"
        " where tenant_id = %s and grain = 'day' and dimension = 'route'",
        (world.tenant,),
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [("cascade", 2, 1, 1)]
