"""One call for many who ask the same: who leads, who follows, and what becomes of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Tenant
from flying import QUESTION, Flight

from aico.core.assignment import Assigned, Treatment
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, Controls, JobStatus
from aico.store import backlog, claims, jobs
from aico.store.blocking import Database
from aico.store.claims import PutBack
from aico.store.scope import Scope
from aico.workers.hits import exact_hit

MANY = 600  # more than are ended in one go


@pytest.fixture
def flight(database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> Flight:
    return Flight(database, tenant, admin)


def test_who_asks_the_same_meanwhile_is_answered_by_the_same_call(flight: Flight) -> None:
    leader, followers = flight.led(2)
    ended = flight.answer(leader)
    assert {one.id for one in ended} == {leader.id, *followers}
    for job in map(flight.see, followers):
        assert job.status is JobStatus.COMPLETED
        assert job.answer is not None
        assert job.answer.text == "Paris."
        assert job.routing is not None
        assert (job.routing.model, job.routing.strategy) == ("smollm2-135m", "complexity")
    assert flight.states([leader.id, *followers]) == ["miss", "shared", "shared"]
    served = flight.rows("select served_from from public.jobs where tenant_id = %s and served_from is not null")
    assert [row["served_from"] for row in served] == [leader.id] * 2


@pytest.mark.parametrize("mode", [CacheMode.OFF, CacheMode.REFRESH])
def test_who_wants_an_answer_of_his_own_neither_leads_nor_follows(flight: Flight, mode: CacheMode) -> None:
    alone, ordinary, another = *flight.ask(mode=mode), *flight.ask(), *flight.ask(mode=mode)
    held = flight.lead(alone)
    led = flight.lead(ordinary)
    flight.lead(another)
    assert [one.id for one in flight.answer(held)] == [alone]
    assert [one.id for one in flight.answer(led)] == [ordinary]


def test_whoever_takes_no_old_answer_leads_and_does_not_follow(flight: Flight) -> None:
    fresh = Controls(max_staleness_seconds=0)
    leader = flight.lead(flight.ask(controls=fresh)[0])
    (ordinary,), (another,) = flight.ask(), flight.ask(controls=fresh)
    assert flight.claim(ordinary) is None
    assert flight.claim(another) is not None
    assert {one.id for one in flight.answer(leader)} == {leader.id, ordinary}


@pytest.mark.parametrize(
    "assigned",
    [
        Assigned(arms=("holdout/baseline",), direct=True),
        Assigned(treatment=Treatment(cache=CacheMode.EXACT)),
        Assigned(arms=("01a21630-0000-7000-8000-000000000001/b",)),
    ],
    ids=["held out", "cache set by an arm", "another arm"],
)
def test_what_is_compared_helps_nobody_of_the_others(flight: Flight, assigned: Assigned) -> None:
    (drawn,), (ordinary,) = flight.ask(assigned=assigned), flight.ask()
    assert [flight.lead(job).id for job in (drawn, ordinary)] == [drawn, ordinary]


def test_jobs_of_one_arm_share_whoever_the_users_are(flight: Flight) -> None:
    arm = ("01a21630-0000-7000-8000-000000000001/b",)
    (first,) = flight.ask(assigned=Assigned(arms=arm, user="a" * 32))
    (second,) = flight.ask(assigned=Assigned(arms=arm, user="b" * 32))
    leader = flight.lead(first)
    assert flight.claim(second) is None
    assert {one.id for one in flight.answer(leader)} == {first, second}


def test_tenants_never_share(flight: Flight, make_tenant: Callable[[], Tenant]) -> None:
    other = Flight(flight.database, make_tenant(), flight.admin)
    leader, followers = flight.led(1)
    theirs, their_followers = other.led(1)
    assert {one.id for one in other.answer(theirs)} == {theirs.id, *their_followers}
    assert [flight.see(job).status for job in (leader.id, *followers)] == [JobStatus.IN_PROGRESS] * 2
    assert other.run(jobs.get(other.tenant.id, leader.id)) == []
    assert other.hand_over(leader.id) == []


def test_a_tenant_that_decides_does_not_keep_another_waiting(
    flight: Flight, make_tenant: Callable[[], Tenant], database: Database
) -> None:
    """The lock under which a question's leader is found is of one tenant: else its time would tell of the other."""
    other = Flight(database, make_tenant(), flight.admin)
    (mine,), (theirs,) = flight.ask(), other.ask()
    statement = claims.claim(flight.tenant.id, mine, 30)
    with psycopg.connect(flight.admin.info.dsn, password=flight.admin.info.password) as deciding:
        deciding.execute(statement.sql, statement.params)  # and not committed
        waiting = other.claim(theirs)
    assert waiting is not None


def test_an_answer_that_came_after_the_job_was_stored_is_served_without_a_call(flight: Flight) -> None:
    first, late = flight.ask(2)
    flight.answer(flight.lead(first))
    claim = flight.lead(late)
    assert claim.hit is not None
    assert claim.hit.answer.text == "Paris."
    (fresh,) = flight.store(replace(new_job(QUESTION, mode=CacheMode.REFRESH), searchable=False))
    assert flight.lead(fresh).hit is None


@pytest.mark.parametrize(
    "how",
    [
        {"keep": False},
        {"status": JobStatus.INCOMPLETE, "keep": False},
        {"status": JobStatus.FAILED, "answer": None, "keep": False},
    ],
    ids=["not kept", "cut off", "failed"],
)
def test_an_answer_that_may_not_be_served_again_is_given_to_nobody_else(flight: Flight, how: dict[str, Any]) -> None:
    leader, followers = flight.led(3)
    (ended,) = flight.answer(leader, **how)
    assert [one.id for one in ended.next] == followers[:1]
    assert [flight.stage(job) for job in followers] == ["route", "follow", "follow"]
    second = flight.lead(followers[0])
    assert {one.id for one in flight.answer(second)} == set(followers)
    assert flight.sweep() == []


def test_a_leader_that_is_put_back_for_a_while_is_waited_for_by_nobody(flight: Flight) -> None:
    leader, followers = flight.led(2)
    flight.run(claims.put_back(PutBack(leader, "no_answer", "503", pause_seconds=60)))
    assert flight.hand_over(leader.id) == followers[:1]
    assert flight.hand_over(leader.id) == []  # somebody leads
    flight.lead(followers[0])
    assert flight.stage(followers[1]) == "follow"


def test_a_leader_whose_worker_stops_is_waited_for(flight: Flight) -> None:
    leader, followers = flight.led(2)
    flight.run(claims.put_back(PutBack(leader, "worker_stopped", "its worker was told to stop")))
    assert flight.hand_over(leader.id) == []
    assert flight.sweep() == []
    assert len(flight.answer(flight.lead(leader.id))) == 3
    assert {flight.see(job).status for job in followers} == {JobStatus.COMPLETED}


def test_a_leader_whose_worker_died_is_taken_over_and_does_not_follow(flight: Flight) -> None:
    (first, second), (late,) = flight.ask(2), flight.ask()
    flight.lead(first, lease=0)
    assert flight.claim(second) is None
    assert flight.claim(late) is None  # it waits for whoever takes it over
    again = flight.lead(first)
    assert (again.taken_over, again.flew) == (True, True)
    assert {one.id for one in flight.answer(again)} == {first, second, late}


def test_a_leader_that_is_cancelled_hands_over(flight: Flight) -> None:
    leader, followers = flight.led(2)
    assert flight.run(jobs.cancel(flight.tenant.id, leader.id))[0].cancelled
    assert flight.hand_over(leader.id) == followers[:1]
    assert flight.answer(leader) == []  # it comes too late, and is for nobody
    assert [flight.see(job).answer for job in followers] == [None, None]
    assert {one.id for one in flight.answer(flight.lead(followers[0]))} == set(followers)


def test_a_follower_that_is_cancelled_leaves_the_others(flight: Flight) -> None:
    leader, (first, second) = flight.led(2)
    assert flight.run(jobs.cancel(flight.tenant.id, first))[0].cancelled
    assert flight.hand_over(first) == []
    assert {one.id for one in flight.answer(leader, "1")} == {leader.id, second}
    assert flight.see(first).status is JobStatus.CANCELLED
    assert flight.cents([leader.id, second]) == [Decimal("0.5")] * 2


def test_a_followers_own_deadline_holds(flight: Flight) -> None:
    first, hurried, patient = *flight.ask(), *flight.ask(timeout_seconds=-1), *flight.ask()
    leader = flight.lead(first)
    assert [flight.claim(job) for job in (hurried, patient)] == [None, None]
    ended = flight.database.run(Scope.system(), backlog.end_overdue(max_losses=5, limit=500))
    assert hurried in [job.id for job in ended]
    assert flight.see(hurried).status is JobStatus.EXPIRED
    assert {one.id for one in flight.answer(leader)} == {first, patient}


def test_the_sweeper_finds_who_waits_for_a_leader_that_is_gone(flight: Flight) -> None:
    leader, followers = flight.led(2)
    other, others = flight.led(1, prompt="And of Italy?")
    flight.admin.execute("delete from public.jobs where tenant_id = %s and id = %s", (flight.tenant.id, leader.id))
    assert flight.sweep() == followers[:1]
    assert flight.sweep() == []
    assert flight.run(jobs.cancel(flight.tenant.id, followers[0]))
    assert flight.sweep() == followers[1:]
    assert {one.id for one in flight.answer(other)} == {other.id, *others}


def test_a_key_that_may_not_use_the_model_any_more_goes_on_by_itself(flight: Flight) -> None:
    first, other = flight.ask(), flight.ask(2, api_key_id=flight.tenant.key_id)
    leader = flight.lead(first[0])
    assert [flight.claim(job) for job in other] == [None, None]
    flight.admin.execute(
        "update public.api_keys set models = array['gpt-5.4'] where tenant_id = %s and id = %s",
        (flight.tenant.id, flight.tenant.key_id),
    )
    (ended,) = flight.answer(leader)
    assert [one.id for one in ended.next] == other[:1]
    claim = flight.lead(other[0])
    assert claim.hit is None


def test_more_than_are_ended_in_one_go_are_all_answered_by_one_call(flight: Flight) -> None:
    leader, followers = flight.led(MANY)
    ended = flight.answer(leader, "7")
    assert len(ended) == 501
    (rest,) = [one.id for job in ended for one in job.next]
    claim = flight.lead(rest)
    assert claim.hit is not None
    assert len(flight.finish(exact_hit(claim, claim.hit))) == MANY - 500
    assert sum(flight.cents([leader.id, *followers])) == 7


def test_of_many_that_are_claimed_at_once_one_leads(flight: Flight) -> None:
    asked = flight.ask(40)
    with ThreadPoolExecutor(4) as pool:
        found = [claim for claim in pool.map(flight.claim, asked) if claim is not None]
    assert len(found) == 1
    assert len(flight.answer(found[0])) == 40


def test_nobody_falls_between_a_claim_and_the_end_of_its_leader(flight: Flight) -> None:
    """Jobs are claimed while their leader ends: each has its answer, or is served it."""
    for round_ in range(15):
        first, *rest = flight.ask(8, prompt=f"question {round_}")
        leader = flight.lead(first)
        with ThreadPoolExecutor(4) as pool:
            claiming = [pool.submit(flight.claim, job) for job in rest]
            ended = pool.submit(flight.answer, leader).result()
        served = [claim for one in claiming if (claim := one.result()) is not None]
        hits = [exact_hit(claim, claim.hit) for claim in served if claim.hit is not None]
        assert len(hits) == len(served)  # nobody calls anew
        ended += [one for hit in hits for one in flight.finish(hit)]
        assert {one.id for one in ended} == {first, *rest}


def test_what_ends_is_announced_and_counted(flight: Flight) -> None:
    flight.admin.execute(
        "insert into public.webhook_endpoints (id, tenant_id, url, secret) values (%s, %s, 'https://example.org', 'x')",
        (new_id(), flight.tenant.id),
    )
    leader, followers = flight.led(2)
    ended = flight.answer(leader)
    told: list[UUID] = [job.id for job in ended if len(job.deliveries) == 1]
    assert set(told) == {leader.id, *followers}
