"""Calls that end before their provider has answered: cancelled by their caller, or left by a worker that stops."""

from collections.abc import Iterator
from signal import SIGTERM
from typing import Any

import pytest
from conftest import Tenant
from faults.load import request_of
from faults.provider import SWIFT, Behaviour, Outcome
from faults.world import World, wait_until

FIRST = 20_000


@pytest.fixture
def tenant(calm_world: World) -> Iterator[Tenant]:
    yield calm_world.tenant("cut short")
    calm_world.provider.behave(Behaviour.ANSWER)


def attempts(world: World, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    """The tenant's attempts, once so many are booked."""
    query = "select model, outcome from ledger_attempts where tenant_id = %s order by at"
    wait_until(lambda: len(world.ask(query, [tenant.id])) >= count, "the bookings")
    return world.ask(query, [tenant.id])


@pytest.mark.parametrize("behaviour", [Behaviour.HANG, Behaviour.DRIP])
def test_a_cancelled_call_is_broken_off(calm_world: World, tenant: Tenant, behaviour: Behaviour) -> None:
    provider, number = calm_world.provider, FIRST + len(behaviour.value)
    provider.behave(behaviour)
    with calm_world.client(tenant) as client:
        job = client.submit({**request_of(number), "cache": "off"})["id"]
        wait_until(lambda: len(provider.of([number])) == 1, "the call")
        cancelled = client.request("POST", f"/v1/jobs/{job}/cancel")
        assert cancelled["status"] == "cancelled"
        (call,) = provider.of([number])
        wait_until(lambda: call.outcome is not Outcome.OPEN, "the end of the call")
        assert call.outcome is Outcome.LEFT  # the provider still behaves as before: it ended nothing itself
        assert attempts(calm_world, tenant, 1) == [{"model": SWIFT, "outcome": "cancelled"}]
        assert client.get(job)["status"] == "cancelled"
    assert len(provider.of([number])) == 1


def test_a_worker_that_stops_gives_its_jobs_back(calm_world: World, tenant: Tenant) -> None:
    provider, numbers = calm_world.provider, range(FIRST + 100, FIRST + 120)
    provider.behave(Behaviour.HANG)
    with calm_world.client(tenant) as client:
        jobs = [client.submit({**request_of(number), "cache": "off"})["id"] for number in numbers]
        wait_until(lambda: len(provider.of(numbers)) == len(numbers), "the calls")
        calm_world.running.part("route").send_signal(SIGTERM)
        left = provider.of(numbers)
        wait_until(lambda: all(call.outcome is Outcome.LEFT for call in left), "the calls to be left")
        provider.behave(Behaviour.ANSWER)
        assert {client.wait(job)["status"] for job in jobs} == {"completed"}
    assert calm_world.history_of(tenant.id) == ["worker_stopped"] * len(jobs)
    booked = [one["outcome"] for one in attempts(calm_world, tenant, 2 * len(jobs))]
    assert booked == ["cancelled"] * len(jobs) + ["ok"] * len(jobs)
