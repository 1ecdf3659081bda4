"""A backlog of one tenant against many small ones. What is held is the order, in which the pools' sizes are bounds."""

from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

import pytest
from conftest import Tenant
from faults.conftest import Scale, apart
from faults.load import request_of
from faults.world import World, wait_until

from aico.cli.client import Client

SMALL_TENANTS = 50
JOBS_EACH = 3
URGENT = 10

pytestmark = [pytest.mark.timeout(300), apart]


def queue_up(world: World, tenant: Tenant, count: int, job_class: str) -> None:
    """Jobs that have not been let through yet, as the API leaves them when there is no place."""
    with world.owner() as connection:
        connection.execute(
            "insert into jobs (id, tenant_id, api_key_id, status, stage, class, cache_mode, request, namespace,"
            " fingerprint, deadline, max_retries)"
            " select gen_random_uuid(), %s, %s, 'queued', 'route', %s, 'off',"
            " jsonb_build_object('messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content',"
            " 'Work through the backlog #' || 2000000000 + n))),"
            " sha256('backlog'), sha256(n::text::bytea), now() + interval '1 day', 8 from generate_series(1, %s) n",
            (tenant.id, tenant.key_id, job_class, count),
        )
        connection.execute("analyze jobs")


def empty(world: World, tenant: Tenant) -> None:
    """Take away what still waits, so that the next test has the product for itself."""
    with world.owner() as connection:
        connection.execute("delete from jobs where tenant_id = %s and bell_at is null", (tenant.id,))
    wait_until(lambda: not waiting(world, tenant), "the rest of the backlog")


def waiting(world: World, *tenants: Tenant) -> int:
    query = "select count(*) as jobs from jobs where tenant_id = any (%s) and status in ('queued', 'in_progress')"
    (found,) = world.ask(query, [[tenant.id for tenant in tenants]])
    return int(found["jobs"])


def places(world: World) -> dict[str, int]:
    return {row["name"]: row["places"] for row in world.ask("select name, places from private.pools")}


def submit(client: Client, tenant: Tenant, requests: Iterable[Mapping[str, object]]) -> list[str]:
    headers = {"Authorization": f"Bearer {tenant.key}"}
    return [client.request("POST", "/v1/jobs", json=request, headers=headers)["id"] for request in requests]


def overtakers(world: World, jobs: Iterable[str], tenant: Tenant) -> list[int]:
    """For each job, how many of the tenant's others were let through after it was accepted, and ended before it did."""
    found = world.ask(
        "select (select count(*) from jobs o where o.tenant_id = %s and o.id <> all (%s)"
        "   and o.bell_at > j.created_at and o.finished_at < j.finished_at) as jobs"
        " from jobs j where j.id = any (%s)",
        [tenant.id, list(map(UUID, jobs)), list(map(UUID, jobs))],
    )
    return [row["jobs"] for row in found]


@pytest.fixture
def make_backlog(calm_world: World, scale: Scale) -> Callable[[str], Tenant]:
    def make(job_class: str) -> Tenant:
        tenant = calm_world.tenant("big")
        queue_up(calm_world, tenant, scale.backlog, job_class)
        wait_until(lambda: waiting(calm_world, tenant) < scale.backlog - 100, "the backlog to be worked on")
        return tenant

    return make


@pytest.mark.parametrize("job_class", ["interactive", "batch"])
def test_a_long_backlog_delays_no_small_tenant(
    calm_world: World, make_backlog: Callable[[str], Tenant], scale: Scale, job_class: str
) -> None:
    big, small = make_backlog(job_class), calm_world.tenants("small", SMALL_TENANTS)
    asked = [{**request_of(number), "class": "interactive", "cache": "off"} for number in range(JOBS_EACH)]
    with Client(calm_world.running.url) as client:
        jobs = [job for tenant in small for job in submit(client, tenant, asked)]
    wait_until(lambda: not waiting(calm_world, *small), "the small tenants")
    left = waiting(calm_world, big)
    empty(calm_world, big)
    overtaken = overtakers(calm_world, jobs, big)
    assert left > scale.backlog / 2
    assert max(overtaken) <= most_overtakers(places(calm_world), job_class)


def most_overtakers(pools: dict[str, int], job_class: str) -> int:
    """By the sizes of the pools, whose 2 slots for each interactive place and 7 eighths for the background are fixed.

    In its own pool a job waits behind those that hold the places, and the big tenant has one turn for each of the
    job's own tenant's. The background runs on while an interactive job waits for the slots that are kept free for it.
    """
    if job_class == "interactive":
        return pools["interactive"] + JOBS_EACH
    slots_kept_free = pools["interactive"] // 2 - pools["background"]
    return pools["background"] * (pools["interactive"] // slots_kept_free + 1)


def test_priority_goes_before_the_tenants_own_backlog(
    calm_world: World, make_backlog: Callable[[str], Tenant], scale: Scale
) -> None:
    tenant = make_backlog("batch")
    hour = {"class": "batch", "cache": "off", "priority": 3600}
    with calm_world.client(tenant) as client:
        urgent = submit(client, tenant, [{**request_of(number), **hour} for number in range(URGENT)])
        assert {client.wait(job)["status"] for job in urgent} == {"completed"}
    left = waiting(calm_world, tenant)
    empty(calm_world, tenant)
    overtaken = overtakers(calm_world, urgent, tenant)
    assert left > scale.backlog / 2
    assert max(overtaken) <= places(calm_world)["background"] + URGENT
