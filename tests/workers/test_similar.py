"""Who waits for an answer that is under way, and for whose: the real database, questions near by one word."""

from dataclasses import replace
from typing import Any

import pytest
from builders import ending_of, new_job
from workers.awaiting import AT_ONCE, CALMLY, Airport, airport
from workers.looking import HELD, SERVED, TOO_LOW, Open, open_cache
from workers.test_embed import store

from aico.core.assignment import Assigned, Treatment
from aico.core.jobs import CacheMode, CacheState, Controls, JobClass, JobStatus
from aico.store import claims
from aico.workers import embed

__all__ = ["airport", "open_cache"]


def test_a_batch_job_waits_for_the_answer_to_a_question_near_its_own(airport: Airport) -> None:
    (leader,) = airport.ask("france capital", job_class=JobClass.INTERACTIVE)
    (waiter,) = airport.ask("france seat of government")
    assert airport.stages(leader, waiter) == ["route", "await"]
    assert airport.awaited(waiter) == [leader.id]
    airport.move()
    assert airport.stages(waiter) == ["await"]
    airport.answer(leader)
    airport.move()
    ended = airport.see(waiter)
    assert ended.status is JobStatus.COMPLETED
    assert ended.answer is not None
    assert ended.answer.text == "Paris."
    assert ended.routing is not None
    assert (ended.routing.cache, ended.routing.provider, ended.routing.cost_cents) == (
        CacheState.SEMANTIC,
        "local",
        "0",
    )
    assert ended.routing.cache_score is not None


def test_the_hit_of_a_job_that_has_waited_is_booked_and_drawn_like_any_other(airport: Airport) -> None:
    (leader,) = airport.ask("france capital")
    (waiter,) = airport.ask("france seat of government")
    assert airport.cache.checks() == []
    airport.answer(leader)
    airport.move()
    (check,) = airport.cache.checks()
    assert (check["job_id"], check["kind"], check["status"]) == (waiter.id, "hit", "waiting")
    booked = airport.cache.rows("select job_id, kind, cost_cents from ledger_outbox where tenant_id = %s")
    assert [(row["kind"], row["cost_cents"]) for row in booked if row["job_id"] == waiter.id] == [("semantic_hit", 0)]
    (entry,) = airport.cache.rows("select job_id from cache_entries where tenant_id = %s")
    served = airport.cache.rows("select id, served_from from jobs where tenant_id = %s and served_from is not null")
    assert served == [{"id": waiter.id, "served_from": entry["job_id"]}]


def test_of_those_who_ask_at_once_the_first_leads_and_the_others_wait_for_it(airport: Airport) -> None:
    asked = airport.ask("france capital", "france seat", "italy capital", "france government", "italy seat")
    assert airport.stages(*asked) == ["route", "await", "route", "await", "await"]
    assert airport.awaited(*asked) == [None, asked[0].id, None, asked[0].id, asked[2].id]
    assert airport.cache.runtime.redis.llen("batch") == 2
    airport.answer(asked[0])
    airport.answer(asked[2])
    airport.move()
    assert {airport.see(job).status for job in asked} == {JobStatus.COMPLETED}


def test_whoever_may_not_wait_leads_those_who_may(airport: Airport) -> None:
    mixed = [
        new_job("france capital", job_class=JobClass.BATCH),
        new_job("france seat", job_class=JobClass.INTERACTIVE),
    ]
    embed.embed.run(store(airport.cache.runtime, airport.cache.tenant, *mixed))
    assert airport.stages(*mixed) == ["await", "route"]
    assert airport.awaited(*mixed) == [mixed[1].id, None]


@pytest.mark.parametrize(
    ("how", "stage"),
    [
        ({"job_class": JobClass.BATCH}, "await"),
        ({"job_class": JobClass.BATCH, "controls": AT_ONCE}, "route"),
        ({"job_class": JobClass.STANDARD}, "route"),
        ({"job_class": JobClass.STANDARD, "controls": CALMLY}, "await"),
        ({"job_class": JobClass.INTERACTIVE}, "route"),
        ({"job_class": JobClass.INTERACTIVE, "controls": CALMLY}, "await"),
    ],
)
def test_who_waits_is_said_by_the_caller_or_else_by_the_class(
    airport: Airport, how: dict[str, Any], stage: str
) -> None:
    airport.ask("france capital", job_class=JobClass.INTERACTIVE)
    (asked,) = airport.ask("france seat of government", **how)
    assert airport.stages(asked) == [stage]


@pytest.mark.parametrize(
    "how",
    [
        {"mode": CacheMode.REFRESH},
        {"controls": Controls(max_staleness_seconds=0)},
        {"assigned": Assigned(treatment=Treatment(cache=CacheMode.SEMANTIC))},
        {"assigned": Assigned(arms=("01a21630-0000-7000-8000-000000000001/b",))},
    ],
    ids=["refresh", "nothing kept", "cache set by an arm", "another arm"],
)
def test_who_takes_no_kept_answer_or_is_compared_with_the_other_does_not_wait(
    airport: Airport, how: dict[str, Any]
) -> None:
    airport.ask("france capital")
    (asked,) = airport.ask("france seat of government", **how)
    assert airport.stages(asked) == ["route"]


def test_jobs_of_one_arm_wait_for_each_other(airport: Airport) -> None:
    arm = Assigned(arms=("01a21630-0000-7000-8000-000000000001/b",))
    first, second = airport.ask("france capital", "france seat", assigned=arm)
    (third,) = airport.ask("france government", assigned=arm)
    assert airport.awaited(first, second, third) == [None, first.id, first.id]


@pytest.mark.parametrize("known", [TOO_LOW, HELD], ids=["scores too little", "on probation"])
def test_nobody_waits_for_what_would_not_be_served(airport: Airport, known: str) -> None:
    airport.knows(known)
    first, beside = airport.ask("france capital", "france seat")
    (later,) = airport.ask("france government")
    assert airport.stages(first, beside, later) == ["route"] * 3


def test_nobody_waits_for_what_a_guard_forbids(open_cache: Open) -> None:
    airport = Airport(open_cache(cache_guards="strict"))
    airport.knows(SERVED)
    asked = airport.ask("weeks of 3 months", "weeks of 4 months")
    asked += airport.ask("weeks of 5 months")
    assert airport.stages(*asked) == ["route"] * 3


def test_the_same_question_shares_the_call_and_does_not_wait_for_its_answer_to_be_kept(airport: Airport) -> None:
    first, beside, near = airport.ask("france capital", "france capital", "france seat")
    (later,) = airport.ask("france capital")
    assert airport.stages(first, beside, near, later) == ["route", "route", "await", "route"]
    held = airport.claim(first)
    for job in (beside, later):
        assert airport.run(claims.claim(airport.cache.tenant.id, job.id, 30)) == []
    assert airport.stages(beside, later) == ["follow", "follow"]
    assert {one.id for one in airport.finish(ending_of(held))} == {first.id, beside.id, later.id}


def test_a_hit_needs_nobody_to_wait_for(airport: Airport) -> None:
    (kept,) = airport.ask("france capital")
    airport.answer(kept)
    airport.ask("france and its", mode=CacheMode.REFRESH)
    (asked,) = airport.ask("france seat of government")
    assert airport.see(asked).status is JobStatus.COMPLETED
    assert airport.awaited(asked) == [None]


def test_nobody_waits_for_a_job_that_may_take_longer_than_his_own(airport: Airport) -> None:
    """It may be behind others, or go into a provider's batch."""
    airport.ask("france capital", job_class=JobClass.BATCH)
    (hurried,) = airport.ask("france seat", job_class=JobClass.STANDARD, controls=CALMLY)
    assert airport.stages(hurried) == ["route"]
    (patient,) = airport.ask("france government")
    assert airport.stages(patient) == ["await"]


def test_a_leader_in_a_providers_batch_is_waited_for(airport: Airport) -> None:
    (leader,) = airport.ask("france capital")
    airport.cache.admin.execute("update jobs set status = 'in_progress', stage = 'lane' where id = %s", (leader.id,))
    (waiter,) = airport.ask("france seat")
    airport.move()
    assert airport.awaited(waiter) == [leader.id]
    assert airport.stages(waiter) == ["await"]


def test_those_who_wait_take_no_place_from_others(airport: Airport) -> None:
    airport.ask("france capital")
    airport.ask(*(f"france number {place}" for place in range(40)))
    (row,) = airport.cache.rows("select private.in_flight(%s, 'batch', 1000) as jobs")
    assert row["jobs"] == 1


def test_nobody_waits_for_another_tenants_job_or_one_of_another_namespace(airport: Airport, open_cache: Open) -> None:
    airport.ask("france capital")
    other = Airport(replace(open_cache(), runtime=airport.cache.runtime))
    other.knows(SERVED)
    (theirs,) = other.ask("france seat")
    assert other.stages(theirs) == ["route"]
    airport.cache.admin.execute(
        "update jobs set namespace = '\\x01' where tenant_id = %s and stage = 'route'", (airport.cache.tenant.id,)
    )
    (elsewhere,) = airport.ask("france seat")
    assert airport.stages(elsewhere) == ["route"]


def test_a_question_that_is_bound_to_its_time_waits_for_no_answer_that_is_not(airport: Airport) -> None:
    timeless, bound = airport.ask("open is the shop", "open is the shop right now")
    (later, alike) = airport.ask("open is the shop today", "open is our shop")
    assert airport.awaited(timeless, bound, later, alike)[:3] == [None, None, bound.id]
    assert airport.stages(alike) == ["await"]
