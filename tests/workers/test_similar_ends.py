"""What becomes of those who wait for an answer that is under way, whatever becomes of it: the real database."""

from typing import Any

import pytest
from builders import ending_of, new_job
from workers.awaiting import Airport, airport
from workers.looking import open_cache
from workers.test_embed import store

from aico.core.jobs import JobClass, JobError, JobStatus
from aico.store import claims, jobs, similar_flights
from aico.store.claims import Ending, PutBack
from aico.store.jobs import NewJob
from aico.workers import lookup, similar

__all__ = ["airport", "open_cache"]


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
