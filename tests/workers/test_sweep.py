"""What the sweeper puts right, with the real database and Redis."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant

from aico.core.jobs import CacheMode, JobClass, JobStatus
from aico.store import jobs, outcomes
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers import sweep
from aico.workers.queue import pushes, to_route
from aico.workers.runtime import Runtime
from aico.workers.sweep import EPOCH_KEY, Sweeper


@pytest.fixture
def sweeper(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Sweeper:
    """Past its first sweep, on which it always rings for everything."""
    monkeypatch.setattr(sweep, "QUIET_SECONDS", 0.05)
    swept = Sweeper(runtime)
    swept.sweep()
    runtime.redis.delete("embed", "interactive", "standard", "batch", "record", "compare")
    return swept


def store(runtime: Runtime, tenant: Tenant, job: NewJob) -> NewJob:
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    return job


def status(runtime: Runtime, tenant: Tenant, job: NewJob) -> JobStatus:
    return runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))[0].status


def rung(runtime: Runtime, queue: str, job: NewJob) -> int:
    return sum(str(job.id) in message for message in runtime.redis.lrange(queue, 0, -1))


def test_a_lost_bell_is_rung_again_once(runtime: Runtime, sweeper: Sweeper, tenant: Tenant) -> None:
    job = store(runtime, tenant, new_job("lost", mode=CacheMode.EXACT, job_class=JobClass.BATCH))
    time.sleep(0.1)
    sweeper.sweep()
    assert rung(runtime, "batch", job) == 1
    time.sleep(0.1)
    sweeper.sweep()  # now a message waits in the queue: the worker is busy, the bell is not lost
    assert rung(runtime, "batch", job) == 1


def test_bells_are_rung_at_once_when_redis_lost_its_data(runtime: Runtime, sweeper: Sweeper, tenant: Tenant) -> None:
    job = store(runtime, tenant, new_job("flushed", mode=CacheMode.EXACT))
    for queue, messages in pushes([to_route(tenant.id, job.id, JobClass.INTERACTIVE)]).items():
        runtime.redis.lpush(queue, *messages)
    runtime.redis.flushdb()
    sweeper.sweep()
    assert runtime.redis.exists(EPOCH_KEY)
    assert rung(runtime, "interactive", job) == 1


def test_a_long_list_of_lost_bells_is_rung_once(
    runtime: Runtime, sweeper: Sweeper, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH", 2)
    jobs = [store(runtime, tenant, new_job(f"flushed {number}", mode=CacheMode.EXACT)) for number in range(7)]
    runtime.redis.flushdb()
    sweeper.sweep()
    assert [rung(runtime, "interactive", job) for job in jobs] == [1] * 7


def test_overdue_jobs_end(runtime: Runtime, sweeper: Sweeper, tenant: Tenant) -> None:
    job = store(runtime, tenant, new_job("overdue", timeout_seconds=0.01))
    time.sleep(0.05)
    sweeper.sweep()
    assert status(runtime, tenant, job) is JobStatus.EXPIRED


def test_pairs_that_are_due_are_rung_for_once(
    runtime: Runtime, sweeper: Sweeper, tenant: Tenant, postgres: Postgres
) -> None:
    waiting, held = (store(runtime, tenant, new_job("compared", mode=CacheMode.OFF)) for _ in range(2))
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute("delete from shadow_pairs")  # other tests' would be rung for too
        query = "insert into shadow_pairs (tenant_id, job_id, served, lease_until) values (%s, %s, 'm', %s)"
        admin.execute(query, (tenant.id, waiting.id, None))
        admin.execute(query, (tenant.id, held.id, datetime.now(UTC) + timedelta(hours=1)))
        for _ in range(2):  # a message that waits is not sent again
            sweeper.sweep()
            assert (rung(runtime, "compare", waiting), rung(runtime, "compare", held)) == (1, 0)
        admin.execute("delete from shadow_pairs")


def test_checks_of_jobs_that_have_ended_become_pairs_and_are_rung_for(
    runtime: Runtime, sweeper: Sweeper, tenant: Tenant, postgres: Postgres
) -> None:
    ended, still_open = (store(runtime, tenant, new_job(prompt)) for prompt in ("ended", "open"))
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute("delete from shadow_pairs")
        for job in (ended, still_open):
            admin.execute(
                "insert into cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score,"
                " features, fingerprint) values (%s, %s, 'n', gen_random_uuid(), 'hit', 1, 1, 1, '{1}', 'f')",
                (tenant.id, job.id),
            )
        answer, routing = '{"text": "so", "finish_reason": "stop"}', '{"model": "m"}'
        query = "update jobs set status = 'completed', answer = %s, routing = %s where id = %s"
        admin.execute(query, (answer, routing, ended.id))
        sweeper.sweep()
        assert (rung(runtime, "compare", ended), rung(runtime, "compare", still_open)) == (1, 0)
        admin.execute("delete from shadow_pairs")


def test_repetitions_are_looked_for_from_where_it_stopped(
    runtime: Runtime, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[tuple[datetime, datetime]] = []

    made = outcomes.observe_repeats

    def look(since: datetime, until: datetime, **more: Any) -> Statement[int]:
        looks.append((since, until))
        return made(since, until, **more)

    monkeypatch.setattr(outcomes, "observe_repeats", look)
    now = datetime.now(UTC)
    sweeper.judge_repeats(now)
    sweeper.judge_repeats(now + timedelta(minutes=1))
    assert looks[1] == (looks[0][1], now + timedelta(minutes=1) - sweep.SETTLED)
