"""The feeder: bells for those whose turn it is and for those whose time has come."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant

from aico.core.jobs import CacheMode, JobClass
from aico.store import claims, jobs
from aico.store.claims import PutBack
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import feed
from aico.workers.feed import Feeder
from aico.workers.health import alive
from aico.workers.heartbeat import Activity
from aico.workers.queue import DONE_CHANNEL
from aico.workers.runtime import Heartbeat, Runtime


@pytest.fixture
def places(postgres: Postgres) -> Iterator[Callable[[int], None]]:
    """Sets how many jobs each pool holds; afterwards there is room for all again."""
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:

        def set_places(count: int) -> None:
            connection.execute("update private.pools set places = %s, tenant_cap = %s", (count, count))

        yield set_places
        set_places(1_000_000)


def store(runtime: Runtime, tenant: Tenant, prompt: str, mode: CacheMode = CacheMode.OFF) -> NewJob:
    job = new_job(prompt, mode=mode, job_class=JobClass.STANDARD)
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    return job


def rung(runtime: Runtime, queue: str) -> set[str]:
    messages: list[Any] = runtime.redis.lrange(queue, 0, -1)
    return {name for message in messages for name in json.loads(base64.b64decode(json.loads(message)["body"]))[0][1:]}


def test_who_waits_is_let_through_as_soon_as_there_is_room(
    runtime: Runtime, tenant: Tenant, places: Callable[[int], None]
) -> None:
    places(0)
    routed, embedded = store(runtime, tenant, "routed"), store(runtime, tenant, "embedded", CacheMode.SEMANTIC)
    feeder = Feeder(runtime)
    feeder.feed()
    assert str(routed.id) not in rung(runtime, "standard")
    places(1_000_000)
    feeder.feed()
    assert str(routed.id) in rung(runtime, "standard")
    assert str(embedded.id) in rung(runtime, "embed")


def test_a_held_job_rings_when_it_is_due(runtime: Runtime, tenant: Tenant) -> None:
    job = store(runtime, tenant, "held")
    scope = Scope.tenant(tenant.id)
    (held,) = runtime.database.run(scope, claims.claim(tenant.id, job.id, 30))
    runtime.database.run(scope, claims.put_back(PutBack(held, "no_answer", "503", pause_seconds=0.2)))
    feeder = Feeder(runtime)
    feeder.feed()
    assert str(job.id) not in rung(runtime, "standard")
    time.sleep(0.25)
    feeder.feed()
    assert str(job.id) in rung(runtime, "standard")


def test_the_pools_follow_the_route_workers_that_live(
    runtime: Runtime, postgres: Postgres, places: Callable[[int], None]
) -> None:
    def pools() -> dict[str, tuple[int, int]]:
        with psycopg.connect(postgres.admin_url) as connection:
            return {row[0]: row[1:] for row in connection.execute("select name, places, tenant_cap from private.pools")}

    places(5)
    Feeder(runtime).feed()
    assert pools() == {"interactive": (5, 5), "background": (5, 5)}  # nobody lives: as it was
    beat = Heartbeat(runtime, "route", Activity(slots=16))
    beat.start()
    while not alive(runtime.redis, "route"):
        time.sleep(0.02)
    Feeder(runtime).feed()
    beat.stop()
    assert pools() == {"interactive": (32, 16), "background": (14, 14)}


def test_an_end_wakes_it_and_an_outage_does_not_stop_it(
    runtime: Runtime, tenant: Tenant, places: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "TICK_SECONDS", 2.0)  # long, so that it is the end of a job that wakes it
    places(0)
    job = store(runtime, tenant, "woken")
    stop = threading.Event()
    feeding = threading.Thread(target=Feeder(runtime).run, args=(stop,))
    feeding.start()
    try:
        while not dict(runtime.redis.pubsub_numsub(DONE_CHANNEL))[DONE_CHANNEL]:
            time.sleep(0.02)
        runtime.redis.client_kill_filter(_type="pubsub")
        time.sleep(0.2)
        places(1_000_000)
        while str(job.id) not in rung(runtime, "standard"):
            runtime.redis.publish(DONE_CHANNEL, str(job.id))
            time.sleep(0.05)
    finally:
        stop.set()
        runtime.redis.publish(DONE_CHANNEL, str(job.id))
        feeding.join(20)
    assert not feeding.is_alive()
