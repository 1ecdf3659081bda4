import time
from collections.abc import Callable
from uuid import uuid4

import pytest
import redis
from builders import completed, new_job
from conftest import Tenant

from aico.core.errors import Unavailable
from aico.core.jobs import CacheMode
from aico.store import claims, jobs
from aico.store.scope import Scope
from aico.workers.finish import finish
from aico.workers.health import alive, slots
from aico.workers.heartbeat import HEARTBEAT_PREFIX, Activity, Beat, name_of, own_key
from aico.workers.leases import Leases
from aico.workers.queue import DONE_CHANNEL, to_embed
from aico.workers.runtime import Heartbeat, Runtime, patiently


def test_what_ended_is_announced_and_bells_are_rung_in_one_trip(runtime: Runtime) -> None:
    job = uuid4()
    with runtime.redis.pubsub() as subscription:  # type: ignore[no-untyped-call]
        subscription.subscribe(DONE_CHANNEL)
        assert subscription.get_message(timeout=2)
        runtime.tell(bells=[to_embed(uuid4(), job)], ended=[job])
        message = subscription.get_message(timeout=2)
    assert message is not None
    assert message["data"] == str(job)
    assert runtime.redis.llen("embed") == 1


def test_a_redis_that_is_away_fails_nothing(deaf_runtime: Runtime, tenant: Tenant) -> None:
    job = new_job("deaf")
    scope = Scope.tenant(tenant.id)
    deaf_runtime.database.run(scope, jobs.submit(tenant.id, [job]))
    assert finish(deaf_runtime, tenant.id, [completed(job.id, 0)]) == [job.id]
    assert not alive(deaf_runtime.redis, "embed")


def wait_until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_heartbeat_shows_that_a_worker_lives_and_what_it_does(runtime: Runtime) -> None:
    activity = Activity(slots=3)
    activity.began("a")
    activity.began("b")
    activity.ended("b")
    heartbeat = Heartbeat(runtime, "route", activity)
    assert not alive(runtime.redis, "route")
    heartbeat.start()
    wait_until(lambda: alive(runtime.redis, "route"))
    (key,) = runtime.redis.scan_iter(f"{HEARTBEAT_PREFIX}:*")
    assert (key, name_of(key)) == (own_key("route"), "route")
    assert 0 < runtime.redis.ttl(key) <= Heartbeat.EXPIRY_SECONDS
    beat = Beat.model_validate_json(str(runtime.redis.get(key)))
    assert (beat.slots, beat.busy) == (3, 1)
    heartbeat.stop()
    wait_until(lambda: not alive(runtime.redis, "route"))


def test_slots_are_those_of_all_live_processes(runtime: Runtime, deaf_runtime: Runtime) -> None:
    assert slots(runtime.redis, "route") == 0
    for process, count in (("a:1", 32), ("b:1", 8)):
        runtime.redis.set(f"{HEARTBEAT_PREFIX}:route:{process}", Beat(progress=0, slots=count).model_dump_json())
    runtime.redis.set(f"{HEARTBEAT_PREFIX}:embed:a:2", Beat(progress=0, slots=1).model_dump_json())
    assert slots(runtime.redis, "route") == 40
    with pytest.raises(redis.RedisError):
        slots(deaf_runtime.redis, "route")


def test_progress_is_a_beginning_an_end_or_a_round() -> None:
    activity = Activity(slots=1)
    seen = [activity.changes]
    steps: list[Callable[[], None]] = [lambda: activity.began("a"), lambda: activity.ended("a"), activity.progressed]
    for step in steps:
        step()
        seen.append(activity.changes)
    assert seen == [0, 1, 2, 3]
    assert activity.wait_idle(0)
    activity.began("b")
    assert not activity.wait_idle(0)


def test_patience_ends() -> None:
    tries = []

    def attempt() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("away")
        return "back"

    assert patiently(attempt) == "back"

    def never() -> str:
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        patiently(never, seconds=0.1)


def test_a_lease_that_another_worker_took_is_known_as_lost(runtime: Runtime, tenant: Tenant) -> None:
    job = new_job("leased", mode=CacheMode.EXACT)
    scope = Scope.tenant(tenant.id)
    runtime.database.run(scope, jobs.submit(tenant.id, [job]))
    (claim,) = runtime.database.run(scope, claims.claim(tenant.id, job.id, 30))
    leases = Leases(runtime)
    with leases.holding(claim):
        leases.renew()
        assert not leases.lost(claim)
        assert finish(runtime, tenant.id, [completed(claim.id, claim.fence)]) == [claim.id]
        leases.renew()
        assert leases.lost(claim)


def test_an_older_claim_of_the_same_process_does_not_end_the_newer(runtime: Runtime, tenant: Tenant) -> None:
    """After an outage longer than a lease, a process may claim a job again while its first call still runs."""
    job = new_job("claimed twice", mode=CacheMode.EXACT)
    scope = Scope.tenant(tenant.id)
    runtime.database.run(scope, jobs.submit(tenant.id, [job]))
    leases = Leases(runtime)
    (older,) = runtime.database.run(scope, claims.claim(tenant.id, job.id, 0))
    with leases.holding(older):
        (newer,) = runtime.database.run(scope, claims.claim(tenant.id, job.id, 30))
        with leases.holding(newer):
            leases.renew()
            assert leases.lost(older)
            assert not leases.lost(newer)
    with leases.holding(newer):
        with leases.holding(older):
            pass
        assert not leases.lost(newer)
