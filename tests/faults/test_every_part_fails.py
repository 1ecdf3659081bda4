"""Every part is killed and every provider misbehaves, one after another, under load. Nothing accepted may be lost."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Tenant
from faults.audit import audit
from faults.budgets import limit
from faults.conftest import Scale
from faults.load import Load, request_of
from faults.plan import Fault, Noted, Step, faults, meet
from faults.report import table
from faults.world import World, wait_until, world

from aico.cli.client import Client
from aico.workers.app import WORKERS

SETTINGS = {
    "ATTEMPT_TIMEOUT_SECONDS": "2",
    "LEASE_SECONDS": "5",
    "JOB_TIMEOUT_SECONDS": "3600",
    "RETRY_BASE_SECONDS": "0.1",
    "JOB_MAX_RETRIES": "20",
}
PROBES = 1_000_000_000  # numbers from here on are the probes'


def probe(step: int) -> dict[str, object]:
    """Passes through every worker but the lanes'."""
    return {**request_of(PROBES + step), "class": "interactive", "cache": "semantic"}


def through(world: World, tenant: Tenant, scale: Scale, noted: Noted) -> list[Step]:
    with world.client(tenant) as client:
        return [_through_one(fault, number, client, world, scale) for number, fault in enumerate(faults(noted))]


def _through_one(fault: Fault, number: int, client: Client, world: World, scale: Scale) -> Step:
    time.sleep(scale.calm)
    key = {"Idempotency-Key": f"probe-{number}"}

    def submit() -> str:
        return str(client.request("POST", "/v1/jobs", json=probe(number), headers=key)["id"])

    return meet(fault, world, submit, client.wait)


def drained(world: World) -> bool:
    """Whether nothing is under way any more: no job, no booking, no delivery."""
    (left,) = world.ask(
        "select exists (select from jobs where status in ('queued', 'in_progress'))"
        " or exists (select from ledger_outbox)"
        " or exists (select from webhook_deliveries where status = 'pending') as some"
    )
    return not left["some"]


def test_every_worker_is_killed() -> None:
    killed = {fault.name.split(" ")[0] for fault in faults(Noted())}
    assert killed >= {*WORKERS, "sweep", "api", "valkey", "postgres"}


@pytest.mark.timeout(1800)
def test_no_accepted_job_is_lost_whatever_is_killed(
    tmp_path: Path, scale: Scale, report: Callable[[str], None]
) -> None:
    noted = Noted()
    with world(tmp_path / "world", SETTINGS) as there:
        tenants = [there.tenant("load"), there.tenant("probe")]
        for tenant in tenants:
            there.tell_about(tenant)
            limit(there, tenant)
        with Load(there.running.url, tenants[0].key, scale.rate) as load:
            steps = through(there, tenants[1], scale, noted)
        wait_until(lambda: drained(there), "everything to end", scale.drain)
        found = audit(there, load, tenants, steps, noted)
        report(table(found, load, there.receiver, steps))
    assert noted.kills
    assert found.broken_promises == {}
