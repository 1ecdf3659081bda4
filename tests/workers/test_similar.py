"""Who waits for an answer that is under way, and what becomes of him: the real database, questions near by one word."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from builders import ending_of, new_job
from workers.test_embed import read, store
from workers.test_lookup import HELD, SERVED, TOO_LOW, Cache, Open, open_cache

from aico.core.assignment import Assigned, Treatment
from aico.core.jobs import CacheMode, CacheState, Controls, Job, JobClass, JobError, JobStatus
from aico.store import claims, jobs, similar_flights
from aico.store.claims import Claim, Ending, PutBack
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import embed, lookup, similar
from aico.workers.feed import Feeder

__all__ = ["open_cache"]

CALMLY, AT_ONCE = Controls(wait_for_similar=True), Controls(wait_for_similar=False)


@dataclass
class Airport:
    """One tenant's jobs on their way through the first hop."""

    cache: Cache

    def knows(self, what: str) -> None:
        self.cache.admin.execute(
            "insert into cache_namespaces (tenant_id, namespace) values (%s, %s) on conflict do nothing",
            (self.cache.tenant.id, new_job("").key.namespace),
        )
        self.cache.knows(what)

    def ask(self, *prompts: str, job_class: JobClass = JobClass.BATCH, **how: Any) -> list[NewJob]:
        """Jobs of one micro-batch."""
        built = {name: how.pop(name) for name in ("mode", "controls", "timeout_seconds") if name in how}
        asked = [replace(new_job(prompt, job_class=job_class, **built), **how) for prompt in prompts]
        embed.embed.run(store(self.cache.runtime, self.cache.tenant, *asked))
        return asked

    def see(self, job: NewJob) -> Job:
        return read(self.cache.runtime, self.cache.tenant, job)

    def stages(self, *asked: NewJob) -> list[str]:
        return [self.see(job).stage.value for job in asked]

    def claim(self, job: NewJob, lease: float = 30) -> Claim:
        (held,) = self.run(claims.claim(self.cache.tenant.id, job.id, lease))
        claim: Claim = held
        return claim

    def answer(self, job: NewJob, *, keep: bool = True) -> None:
        assert self.finish(ending_of(self.claim(job), keep=keep))

    def finish(self, ending: Ending) -> list[Any]:
        return self.run(claims.finish(self.cache.tenant.id, [ending], 3600))

    def move(self) -> None:
        """The feeder's round, and the embed worker's next batch of whatever it has let through."""
        Feeder(self.cache.runtime).feed()
        rung = self.cache.rows(
            "select id from jobs where tenant_id = %s and status = 'queued' and stage = 'embed' and bell_at is not null"
        )
        embed.embed.run([(str(self.cache.tenant.id), *(str(row["id"]) for row in rung))])

    def awaited(self, *asked: NewJob) -> list[UUID | None]:
        rows = self.cache.rows("select id, awaits from jobs where tenant_id = %s")
        found = {row["id"]: row["awaits"] for row in rows}
        return [found[job.id] for job in asked]

    def run(self, statement: Any) -> list[Any]:
        return self.cache.runtime.database.run(Scope.tenant(self.cache.tenant.id), statement)


@pytest.fixture
def airport(open_cache: Open) -> Airport:
    """Where whatever is near would be served."""
    there = Airport(open_cache())
    there.knows(SERVED)
    return there


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


def failed(airport: Airport, leader: NewJob) -> None:
    held = airport.claim(leader)
    error = JobError(code="all_candidates_failed", message="nobody answers")
    assert airport.finish(Ending(held.id, held.fence, JobStatus.FAILED, error=error))


def not_kept(airport: Airport, leader: NewJob) -> None:
    airport.answer(leader, keep=False)


def cancelled(airport: Airport, leader: NewJob) -> None:
    assert airport.run(jobs.cancel(airport.cache.tenant.id, leader.id))[0].cancelled


def deleted(airport: Airport, leader: NewJob) -> None:
    airport.cache.admin.execute("delete from jobs where id = %s", (leader.id,))


@pytest.mark.parametrize("end", [failed, not_kept, cancelled, deleted])
def test_whoever_waited_for_nothing_goes_on_by_himself_and_waits_for_nobody_else(airport: Airport, end: Any) -> None:
    (leader,) = airport.ask("france capital")
    waiters = airport.ask("france seat", "france government")
    assert airport.stages(*waiters) == ["await", "await"]
    end(airport, leader)
    airport.move()
    assert airport.stages(*waiters) == ["route", "route"]
    for job in waiters:
        airport.answer(job)
        assert airport.see(job).status is JobStatus.COMPLETED


def test_a_leader_whose_worker_died_or_that_is_put_back_is_waited_for(airport: Airport) -> None:
    (leader,) = airport.ask("france capital")
    (waiter,) = airport.ask("france seat")
    airport.claim(leader, lease=0)
    airport.move()
    assert airport.stages(waiter) == ["await"]
    held = airport.claim(leader)
    assert held.taken_over
    assert airport.run(claims.put_back(PutBack(held, "no_answer", "503")))
    airport.move()
    assert airport.stages(waiter) == ["await"]
    airport.answer(leader)
    airport.move()
    assert airport.see(waiter).status is JobStatus.COMPLETED


def test_a_leader_that_follows_another_is_waited_for(airport: Airport) -> None:
    """It is ended with the answer to the same question; whoever it follows waits for nobody."""
    first, second = airport.ask("france capital", "france capital")
    (waiter,) = airport.ask("france seat")
    led = airport.awaited(waiter)[0]
    assert led is not None
    flying = next(job for job in (first, second) if job.id != led)
    held = airport.claim(flying)
    assert airport.run(claims.claim(airport.cache.tenant.id, led, 30)) == []
    airport.move()
    assert airport.stages(waiter) == ["await"]
    assert len(airport.finish(ending_of(held))) == 2
    airport.move()
    assert airport.see(waiter).status is JobStatus.COMPLETED


def test_whoever_waits_leads_nobody(airport: Airport) -> None:
    (leader,) = airport.ask("france capital")
    (waiter,) = airport.ask("france seat")
    cancelled(airport, leader)
    (later,) = airport.ask("france government")  # before anybody has looked
    assert airport.stages(waiter, later) == ["await", "route"]
    airport.move()
    assert airport.stages(waiter, later) == ["route", "route"]


def test_an_answer_that_comes_between_the_look_and_the_waiting_is_served(airport: Airport) -> None:
    (leader,) = airport.ask("france capital")
    waiter = new_job("france seat", job_class=JobClass.BATCH)
    store(airport.cache.runtime, airport.cache.tenant, waiter)
    looked = airport.cache.look([waiter])
    assert [(one.job.id, one.leader) for one in looked.waits] == [(waiter.id, leader.id)]
    airport.answer(leader)
    assert airport.run(similar_flights.wait(airport.cache.tenant.id, looked.waits)) == [waiter.id]
    airport.move()
    assert airport.see(waiter).status is JobStatus.COMPLETED


def test_an_answer_that_comes_while_the_cache_is_asked_is_served_at_once(
    airport: Airport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is under way is looked at first: whoever is not any more has been answered."""
    (leader,) = airport.ask("france capital")

    def answered_meanwhile(*asked: Any) -> Any:
        flights = similar.under_way(*asked)
        airport.answer(leader)
        return flights

    monkeypatch.setattr(lookup, "under_way", answered_meanwhile)
    (asked,) = airport.ask("france seat")
    assert airport.see(asked).status is JobStatus.COMPLETED


def test_a_job_that_ended_before_it_began_to_wait_stays_ended(airport: Airport) -> None:
    airport.ask("france capital")
    waiter = new_job("france seat", job_class=JobClass.BATCH)
    store(airport.cache.runtime, airport.cache.tenant, waiter)
    looked = airport.cache.look([waiter])
    cancelled(airport, waiter)
    assert airport.run(similar_flights.wait(airport.cache.tenant.id, looked.waits)) == []
    assert airport.see(waiter).status is JobStatus.CANCELLED


def test_a_job_that_waits_may_be_cancelled(airport: Airport) -> None:
    (leader,) = airport.ask("france capital")
    waiters = airport.ask("france seat", "france government")
    cancelled(airport, waiters[0])
    airport.answer(leader)
    airport.move()
    assert [airport.see(job).status for job in waiters] == [JobStatus.CANCELLED, JobStatus.COMPLETED]


def test_nobody_waits_longer_than_half_the_time_he_has(airport: Airport) -> None:
    airport.ask("france capital")
    (waiter,) = airport.ask("france seat", timeout_seconds=100)
    (row,) = airport.cache.rows(
        "select extract(epoch from run_after - created_at)::float as waits from jobs where tenant_id = %s"
        " and stage = 'await'"
    )
    assert row["waits"] == pytest.approx(50, abs=5)
    airport.cache.admin.execute("update jobs set run_after = now() where id = %s", (waiter.id,))
    airport.move()
    assert airport.stages(waiter) == ["route"]


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
