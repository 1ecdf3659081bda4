"""An answer that several share is for whoever may have it, at no more than each may spend, and goes with its job."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from conftest import Tenant
from flying import Flight

from aico.core.ids import new_id
from aico.core.jobs import Controls, JobStatus
from aico.store import cache_checks, data_requests
from aico.store.blocking import Database
from aico.store.claims import Claim, Ended
from aico.store.data_requests import RequestKind
from aico.store.erasures import copies
from aico.store.scope import Scope
from aico.workers.hits import exact_hit


@pytest.fixture
def flight(database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> Flight:
    return Flight(database, tenant, admin)


def kept_an_hour_ago(flight: Flight, payer: UUID) -> None:
    """The answer to this job, for which nobody waited."""
    flight.answer(flight.lead(payer))
    flight.admin.execute(
        "update public.cache_entries set created_at = created_at - interval '1 hour' where tenant_id = %s",
        (flight.tenant.id,),
    )


def from_the_cache(flight: Flight, leader: Claim) -> list[Ended]:
    assert leader.hit is not None
    return flight.finish(exact_hit(leader, leader.hit))


def test_a_kept_answer_of_the_leader_is_not_for_a_follower_who_takes_none_that_old(flight: Flight) -> None:
    (payer, first), (patient,) = flight.ask(2), flight.ask(controls=Controls(max_staleness_seconds=7200))
    (fresh,) = flight.ask(controls=Controls(max_staleness_seconds=60))
    kept_an_hour_ago(flight, payer)
    leader = flight.lead(first)
    assert [flight.claim(job) for job in (patient, fresh)] == [None, None]
    ended = from_the_cache(flight, leader)
    assert {one.id for one in ended} == {first, patient}
    assert [one.id for job in ended for one in job.next] == [fresh]
    assert flight.lead(fresh).hit is None


def test_a_new_answer_is_for_whoever_asked_for_a_fresh_one(flight: Flight) -> None:
    (first,), (fresh,) = flight.ask(), flight.ask(controls=Controls(max_staleness_seconds=1))
    leader = flight.lead(first)
    assert flight.claim(fresh) is None
    assert {one.id for one in flight.answer(leader)} == {first, fresh}


def test_whoever_shares_a_kept_answer_is_erased_with_the_job_that_paid_for_it(flight: Flight) -> None:
    payer, first, *followers = flight.ask(4)
    kept_an_hour_ago(flight, payer)
    leader = flight.lead(first)
    assert [flight.claim(job) for job in followers] == [None, None]
    from_the_cache(flight, leader)
    (asked,) = flight.run(data_requests.create(flight.tenant.id, new_id(), RequestKind.ERASURE, "operator"))
    (request,) = flight.run(data_requests.claim(flight.tenant.id, asked.id, 30))
    assert {one.id for one in flight.run(copies(request, [payer]))} == {leader.id, *followers}


@pytest.mark.parametrize(("limit", "borne"), [("0.2", "0.2"), ("0.5", "0.5"), ("7", "0.5")])
def test_nobody_bears_more_of_a_call_than_his_own_limit(flight: Flight, limit: str, borne: str) -> None:
    (first,), (limited,) = flight.ask(), flight.ask(controls=Controls(max_cost_cents=Decimal(limit)))
    leader = flight.lead(first)
    assert flight.claim(limited) is None
    flight.answer(leader, "1")
    assert flight.cents([first, limited]) == [1 - Decimal(borne), Decimal(borne)]
    rows = flight.booked([first, limited])
    assert sum(row["shared_cents"] for row in rows) == 0
    assert sum(row["cost_cents"] for row in rows) == 1


def test_a_limit_does_not_make_known_what_nobody_knows(flight: Flight) -> None:
    (first,), (limited,) = flight.ask(), flight.ask(controls=Controls(max_cost_cents=Decimal(1)))
    leader = flight.lead(first)
    assert flight.claim(limited) is None
    flight.answer(leader, None)
    routing = flight.see(limited).routing
    assert routing is not None
    assert routing.cost_cents is None


def test_whoever_follows_is_not_held_until_his_deadline(flight: Flight) -> None:
    _, (follower,) = flight.led(1)
    assert flight.see(follower).status is JobStatus.IN_PROGRESS
    assert flight.see(follower).run_after is None


def looked_at(flight: Flight, leader: Claim) -> int:
    """How often an index of jobs is looked into to find who is to lead."""
    scans = "select idx_scan from pg_stat_xact_user_tables where relid = 'public.jobs'::regclass"
    with flight.admin.transaction():
        before = flight.admin.execute(scans).fetchone()
        found = flight.admin.execute(
            "select h.* from public.jobs j, lateral private.hand_over(j.tenant_id, j.flight, null) h where j.id = %s",
            (leader.id,),
        ).fetchall()
        after = flight.admin.execute(scans).fetchone()
    assert found == []
    assert before is not None
    assert after is not None
    return int(after["idx_scan"] - before["idx_scan"])


def test_that_somebody_leads_is_seen_without_a_look_at_each_follower(flight: Flight) -> None:
    few, _ = flight.led(2)
    many, _ = flight.led(60, prompt="And of Italy?")
    assert looked_at(flight, many) == looked_at(flight, few)


def test_a_job_that_was_not_called_for_is_no_sample_of_what_a_call_would_say(flight: Flight) -> None:
    (other,) = flight.ask(prompt="And of Italy?")
    flight.answer(flight.lead(other))
    (near,) = flight.rows("select id from public.cache_entries where tenant_id = %s")
    leader, followers = flight.led(2)
    for job in (leader.id, *followers):
        flight.admin.execute(
            "insert into public.cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score,"
            " features, fingerprint) select tenant_id, id, namespace, %s, 'near', 1, 0.8, 0, '{1}', fingerprint"
            " from public.jobs where tenant_id = %s and id = %s",
            (near["id"], flight.tenant.id, job),
        )
    flight.answer(leader)
    flight.database.run(Scope.system(), cache_checks.take_on(limit=500))
    pairs = flight.rows("select job_id from public.shadow_pairs where tenant_id = %s and purpose = 'cache'")
    assert [pair["job_id"] for pair in pairs] == [leader.id]
    dropped = flight.rows("select job_id from public.cache_checks where tenant_id = %s and status = 'dropped'")
    assert {check["job_id"] for check in dropped} == set(followers)
