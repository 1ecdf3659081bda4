"""What each bears of a call that several share: exact to the last place, and told to whatever counts money."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from conftest import Tenant
from flying import Flight
from quotaing import Budgets

from aico.core.assignment import ROUTED, Assigned
from aico.core.ids import new_id
from aico.core.quotas import Period, Quota, Unit
from aico.core.repricing import Charge, Correction
from aico.store import repricing
from aico.store.blocking import Database
from aico.store.repricing import Selection


@pytest.fixture
def flight(database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> Flight:
    return Flight(database, tenant, admin)


@pytest.mark.parametrize("cents", ["1", "0.000001", "10.000007", "0"])
def test_each_bears_its_share_and_together_they_bear_the_call(flight: Flight, cents: str) -> None:
    leader, followers = flight.led(6)
    flight.answer(leader, cents)
    everybody = [leader.id, *followers]
    shares = flight.cents(everybody)
    assert sum(shares) == Decimal(cents)
    assert len(set(shares[1:])) == 1
    assert shares[0] - shares[1] < Decimal("0.000007")
    rows = flight.booked(everybody)
    assert Counter(row["kind"] for row in rows) == {"call": 1, "shared": 6}
    assert sum(row["cost_cents"] for row in rows) == Decimal(cents)
    assert sum(row["input_uncached"] + row["output"] for row in rows) == 150
    borne = {row["job_id"]: row["cost_cents"] + (row["shared_cents"] or 0) for row in rows}
    assert [borne[job] for job in everybody] == shares


def test_each_was_saved_a_call_of_the_baseline(flight: Flight) -> None:
    leader, followers = flight.led(3)
    flight.answer(leader, "1")
    flight.booked([leader.id, *followers])
    (sums,) = flight.rows(
        "select sum(cost_cents) as cents, sum(baseline_cost_cents) as baseline, sum(answered) as answers,"
        " sum(input_tokens + output_tokens) as tokens from public.rollups where tenant_id = %s and grain = 'day'"
    )
    assert sums == {"cents": Decimal(1), "baseline": Decimal(8), "answers": 4, "tokens": 150}


def test_what_is_priced_again_is_the_call_and_what_others_bear_of_it_stays(flight: Flight) -> None:
    leader, followers = flight.led(3)
    flight.answer(leader, "1")
    flight.booked([leader.id, *followers])
    now = datetime.now(UTC)
    selected = Selection(now - timedelta(hours=1), now + timedelta(hours=1))
    (booked,) = flight.run(repricing.page(flight.tenant.id, selected, after=None, limit=10))
    correction = Correction(booked, Charge(Decimal(3), "later", booked.charge.baseline_cents))
    assert flight.run(repricing.correct(flight.tenant.id, new_id(), "operator", [correction])) == [1]
    rows = flight.booked([])
    assert sum(row["cost_cents"] + (row["shared_cents"] or 0) for row in rows) == 3
    assert [row["shared_cents"] for row in rows if row["kind"] == "shared"] == [Decimal("0.25")] * 3


def test_a_cost_that_nobody_knows_is_not_split(flight: Flight) -> None:
    leader, followers = flight.led(1)
    flight.answer(leader, None)
    assert [flight.see(job).routing.cost_cents for job in (leader.id, *followers)] == [None, None]  # type: ignore[union-attr]
    rows = {row["kind"]: row for row in flight.booked([leader.id, *followers])}
    assert rows["call"]["cost_cents"] is None
    assert (rows["shared"]["cost_cents"], rows["shared"]["shared_cents"]) == (Decimal(0), None)


def test_what_a_job_bears_is_what_its_arm_is_told(flight: Flight) -> None:
    leader, followers = flight.led(3, assigned=Assigned(arms=(ROUTED,)))
    flight.answer(leader, "1")
    flight.booked([leader.id, *followers])
    (arm,) = flight.rows("select answered, cents, cents_squared from public.arm_rollups where tenant_id = %s")
    assert arm == {"answered": 4, "cents": Decimal(1), "cents_squared": Decimal("0.25")}


def test_quotas_of_keys_and_tags_are_charged_the_share(flight: Flight, database: Database) -> None:
    budgets = Budgets(database, flight.tenant.id)
    tag, all_of_it = Quota("tag:a", Period.MONTH, Unit.CENTS), Quota("tenant", Period.MONTH, Unit.CENTS)
    requests = Quota("tenant", Period.MONTH, Unit.REQUESTS)
    for quota in (tag, all_of_it, requests):
        budgets.limit(quota, 1000)
    first, second = flight.ask(2)
    (tagged,) = flight.ask(tags=("a",))
    leader = flight.lead(first)
    assert [flight.claim(job) for job in (second, tagged)] == [None, None]
    flight.answer(leader, "3")
    assert [budgets.figures(quota) for quota in (tag, all_of_it, requests)] == [(1, 0), (3, 0), (1, 0)]
    assert sum(flight.cents([first, second, tagged])) == 3
