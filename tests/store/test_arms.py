"""What is known of the arms that jobs were drawn into: costs as they are booked, quality as it is judged."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from builders import ending_of, new_job
from conftest import Tenant
from experimenting import attempt
from psycopg.types.json import Jsonb

from aico.core.assignment import HELD_OUT, ROUTED, Assigned, Treatment
from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.ids import new_id
from aico.core.jobs import CacheMode
from aico.core.repricing import Booked, Charge, Correction
from aico.core.usage import Usage
from aico.store import claims, jobs, ledger, outcomes, repricing
from aico.store.blocking import Database
from aico.store.outcomes import Source
from aico.store.scope import Scope

MODEL = "smollm2-135m"  # what `ending_of` says answered
Connection = psycopg.Connection[Any]


class World:
    def __init__(self, database: Database, tenant: Tenant, admin: Connection) -> None:
        self.database, self.tenant, self.scope, self.admin = database, tenant.id, Scope.tenant(tenant.id), admin

    def answer(self, assigned: Assigned, *attempts: Attempt, spent: str = "0") -> Any:
        job = replace(new_job("prompt", mode=CacheMode.OFF), assigned=assigned)
        self.database.run(self.scope, jobs.submit(self.tenant, [job]))
        (held,) = self.database.run(self.scope, claims.claim(self.tenant, job.id, 30))
        assert held.policy.assigned == assigned
        ending = replace(ending_of(held), attempts=attempts, arms=held.policy.assigned.arms, spent_cents=Decimal(spent))
        self.database.run(self.scope, claims.finish(self.tenant, [ending], 60))
        self.database.run(self.scope, ledger.book([self.tenant], [job.id]))
        return job.id

    def arm(self, name: str, what: str) -> Any:
        row = self.admin.execute(
            f"select {what} from public.arm_rollups where tenant_id = %s and arm = %s",  # noqa: S608 - of this file
            (self.tenant, name),
        ).fetchone()
        return None if row is None else tuple(row.values())

    def judge(self, job: Any, quality: float, source: Source, model: str = MODEL) -> list[bool]:
        return self.database.run(self.scope, outcomes.observe(self.tenant, job, model, quality, source))


@pytest.fixture
def world(database: Database, tenant: Tenant, admin: Connection) -> World:
    return World(database, tenant, admin)


def test_a_jobs_whole_cost_counts_once_for_each_of_its_arms(world: World) -> None:
    assigned = Assigned(arms=(ROUTED, "x/a"), treatment=Treatment(quality_floor=0.2))
    failed = attempt("1", AttemptOutcome.RETRYABLE)
    world.answer(assigned, failed, attempt("2"), spent="3")
    world.answer(assigned, attempt("4"))
    for arm in (ROUTED, "x/a"):
        figures = world.arm(arm, "answered, failed, cents::real, cents_squared::real, latency_ms::real")
        assert figures == (2, 0, 10.0, 52.0, 6.0)


def test_a_job_that_nobody_answered_has_no_price_that_could_be_unknown(world: World) -> None:
    refused = attempt("0", AttemptOutcome.RETRYABLE).model_copy(update={"cost_cents": None})
    world.answer(Assigned(arms=(ROUTED,)), refused)
    world.answer(Assigned(arms=(ROUTED,)), attempt("1").model_copy(update={"cost_cents": None}))
    half = refused.model_copy(update={"id": new_id(), "usage": Usage(input_uncached=9)})
    world.answer(Assigned(arms=(ROUTED,)), half)
    assert world.arm(ROUTED, "failed, unpriced") == (2, 2)  # the answer, and what failed after tokens were used


def test_a_job_that_another_worker_took_over_counts_once_with_what_both_spent(world: World) -> None:
    job = replace(new_job("prompt", mode=CacheMode.OFF), assigned=Assigned(arms=(ROUTED,)))
    world.database.run(world.scope, jobs.submit(world.tenant, [job]))
    (first,) = world.database.run(world.scope, claims.claim(world.tenant, job.id, 30))
    world.admin.execute("update public.jobs set lease_until = now() - interval '1 s' where id = %s", (job.id,))
    (second,) = world.database.run(world.scope, claims.claim(world.tenant, job.id, 30))
    baseline = Baseline(model="b", cost_cents=Decimal(9))
    for held, spent in ((first, "0"), (second, "2")):
        ending = replace(ending_of(held), attempts=(attempt("2"),), arms=(ROUTED,), baseline=baseline)
        world.database.run(world.scope, claims.finish(world.tenant, [replace(ending, spent_cents=Decimal(spent))], 60))
        world.database.run(world.scope, ledger.book([world.tenant], [job.id]))
    assert world.arm(ROUTED, "answered, failed, cents::real, baseline_cents::real") == (1, 0, 4.0, 9.0)
    booked = world.admin.execute(
        "select count(*) as attempts, sum(cost_cents)::real as cents, sum(baseline_cost_cents)::real as baseline"
        " from public.ledger_attempts where tenant_id = %s",
        (world.tenant,),
    ).fetchone()
    assert booked == {"attempts": 2, "cents": 4.0, "baseline": 9.0}


def test_what_a_judge_was_asked_in_place_of_a_call_is_repriced_as_part_of_the_job(world: World) -> None:
    job = world.answer(Assigned(arms=(ROUTED,)), attempt("2"), spent="1")
    asked = attempt("1").model_copy(update={"kind": AttemptKind.JUDGE})
    row = ledger.event_row(world.tenant, job, None, asked, Policy(strategy="cache"))
    world.admin.execute(
        "insert into public.ledger_outbox select * from jsonb_populate_record(null::public.ledger_outbox, %s)",
        (Jsonb(row),),
    )
    world.database.run(world.scope, ledger.book([world.tenant], [job]))
    assert world.arm(ROUTED, "cents::real") == (3.0,)
    charge = Charge(asked.cost_cents, None, None)
    booked = Booked(asked.at, asked.id, asked.provider, asked.model, asked.usage, None, charge)
    dearer = Correction(booked, replace(charge, cents=Decimal(4), version="later"))
    assert world.database.run(world.scope, repricing.correct(world.tenant, new_id(), "operator", [dearer])) == [1]
    assert world.arm(ROUTED, "cents::real") == (6.0,)


def test_a_job_that_was_drawn_into_nothing_leaves_no_figures(world: World) -> None:
    world.answer(Assigned(), attempt("2"))
    assert world.arm(ROUTED, "answered") is None


def test_a_judgement_counts_for_the_arm_and_a_later_one_replaces_it(world: World) -> None:
    job = world.answer(Assigned(arms=(HELD_OUT,), direct=True), attempt("2"))
    assert world.judge(job, 0.25, Source.IMPLICIT) == [True]
    assert world.judge(job, 1.0, Source.USER) == [True]
    assert world.arm(HELD_OUT, "judged, quality, quality_squared") == (1, 1.0, 1.0)
    assert world.judge(job, 0.5, Source.JUDGE) == [False]  # weighs less than the user's
    assert world.arm(HELD_OUT, "judged, quality") == (1, 1.0)


def test_what_another_model_would_have_said_is_no_arms_quality(world: World) -> None:
    job = world.answer(Assigned(arms=(ROUTED,)), attempt("2"))
    assert world.judge(job, 0.5, Source.JUDGE, model="another") == [True]
    assert world.arm(ROUTED, "judged") == (0,)


def test_a_job_without_an_answer_cannot_be_judged(world: World) -> None:
    assert world.judge(new_id(), 1.0, Source.USER) == []
