"""The second hop, with the real database and an OpenAI-compatible server that does as it is told."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from builders import new_job
from conftest import Tenant
from workers.provider_server import Server, serving

from aico.core.jobs import CacheMode, CacheState, Job, JobStatus
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import claims, jobs, ledger
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import retries, route
from aico.workers.leases import Leases
from aico.workers.queue import CANCELLED_CHANNEL
from aico.workers.router import Router
from aico.workers.runtime import Runtime

EPOCH, FAR = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def routed(runtime: Runtime, provider: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    settings = runtime.settings.model_copy(update={"local_model_url": provider.url, "retry_base_seconds": 0.01})
    router = Router(settings, ComplexityStrategy())
    monkeypatch.setattr(route, "get_runtime", lambda: runtime)
    monkeypatch.setattr(route, "router", lambda: router)
    held = Leases(runtime)
    monkeypatch.setattr(route, "leases", lambda: held)
    held.start()
    yield runtime
    held.stop()
    router.close()


def run(runtime: Runtime, tenant: Tenant, prompt: str, mode: CacheMode = CacheMode.EXACT) -> Job:
    job = new_job(prompt, mode=mode)
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    route.route.run(str(tenant.id), str(job.id))
    return runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))[0]


def again(runtime: Runtime, tenant: Tenant, job: Job) -> Job:
    route.route.run(str(tenant.id), str(job.id))
    return runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))[0]


@contextmanager
def called(runtime: Runtime, provider: Server, tenant: Tenant) -> Iterator[NewJob]:
    """A job whose call is under way; at the end the worker's thread has let go of it."""
    provider.gate.clear()
    job = new_job("under way", mode=CacheMode.OFF)
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(route.route.run, str(tenant.id), str(job.id))
        give_up = time.monotonic() + 10
        while not provider.asked and time.monotonic() < give_up:
            time.sleep(0.01)
        yield job
        working.result(timeout=10)


def expire(runtime: Runtime, tenant: Tenant, job: UUID) -> None:
    """Let the lease run out, once the call has been noted."""
    time.sleep(0.2)
    shortened = [replace(held, tenant=tenant.id) for held in route.leases()._held.values()]
    assert [held.id for held in shortened] == [job]
    runtime.database.run(Scope.tenant(tenant.id), claims.renew(shortened, -1))


def attempts(runtime: Runtime, tenant: Tenant) -> int:
    return runtime.database.run(Scope.tenant(tenant.id), ledger.pending(tenant.id))[0]


def test_an_answer_ends_the_job_with_its_cost_and_the_baselines(
    routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    job = run(routed, tenant, "What is the capital of France?")
    assert job.status is JobStatus.COMPLETED
    assert job.answer is not None
    assert (job.answer.text, job.answer.input_tokens, job.answer.output_tokens) == ("Paris.", 100, 50)
    assert job.routing is not None
    assert (job.routing.provider, job.routing.model) == ("local", "smollm2-135m")
    assert job.routing.strategy == "complexity"
    assert job.routing.cost_cents is not None
    assert job.routing.baseline_cost_cents is not None
    assert 0 < float(job.routing.cost_cents) < float(job.routing.baseline_cost_cents)
    assert job.routing.reasons
    assert routed.redis.llen("record") == 1


def test_an_answer_that_came_after_the_job_was_stored_saves_its_call(
    routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    first, late = new_job("twice", mode=CacheMode.EXACT), new_job("twice", mode=CacheMode.EXACT)
    routed.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [first, late]))
    for job in (first, late):
        route.route.run(str(tenant.id), str(job.id))
    (ended,) = routed.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, late.id))
    assert ended.routing is not None
    assert (ended.routing.cache, ended.routing.cost_cents, ended.routing.attempts) == (CacheState.EXACT, "0", 0)
    assert provider.asked == 1
    assert attempts(routed, tenant) == 2


def test_a_transient_failure_is_tried_again_and_every_attempt_is_metered(
    routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    provider.replies = [(503, "busy", ""), (429, "slow down", ""), (200, "Paris.", "stop")]
    job = run(routed, tenant, "retry")
    assert job.status is JobStatus.COMPLETED
    assert job.routing is not None
    assert job.routing.attempts == 3
    assert attempts(routed, tenant) == 3


def test_during_an_outage_a_job_is_put_back_until_its_retries_are_spent(
    routed: Runtime, provider: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "BASE_SECONDS", 0.001)
    provider.replies = [(503, "busy", "")]
    job = run(routed, tenant, "outage")
    for retry in range(1, 9):
        assert (job.status, job.retries) == (JobStatus.QUEUED, retry)
        assert (job.history[-1].reason, job.history[-1].message) == ("no_answer", "HTTP 503: server_error: busy")
        time.sleep(0.3)
        job = again(routed, tenant, job)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert (job.error.code, job.error.message) == ("all_candidates_failed", "HTTP 503: server_error: busy")
    assert provider.asked == 9 * 3
    assert attempts(routed, tenant) == 9 * 3


def test_an_outage_that_ends_costs_nobody_the_answer(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    provider.replies = [(503, "busy", "")] * 3 + [(200, "Paris.", "stop")]
    job = run(routed, tenant, "short outage")
    assert job.run_after is not None
    assert again(routed, tenant, job).status is JobStatus.QUEUED  # not yet due
    time.sleep((job.run_after - datetime.now(UTC)).total_seconds() + 0.05)
    assert again(routed, tenant, job).status is JobStatus.COMPLETED


def test_a_provider_that_names_its_pause_is_given_it(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    provider.replies, provider.headers = [(503, "busy", "")], {"Retry-After": "700"}
    job = run(routed, tenant, "later")
    assert job.status is JobStatus.FAILED  # there is no time for that before its deadline
    provider.headers = {"Retry-After": "300"}
    job = run(routed, tenant, "later, but in time")
    assert job.run_after is not None
    assert 290 < (job.run_after - datetime.now(UTC)).total_seconds() <= 300


def test_a_cancelled_job_breaks_its_call_off(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    with called(routed, provider, tenant) as job:
        assert routed.database.run(Scope.tenant(tenant.id), jobs.cancel(tenant.id, job.id))[0].cancelled
        while not routed.redis.publish(CANCELLED_CHANNEL, str(job.id)):
            time.sleep(0.05)  # nobody has subscribed yet
    (ended,) = routed.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))
    assert ended.status is JobStatus.CANCELLED
    assert attempts(routed, tenant) == 1


def test_a_worker_that_stops_puts_its_jobs_back(
    routed: Runtime, provider: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with called(routed, provider, tenant) as job:
        route.wind_down()
    (back,) = routed.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))
    assert (back.status, back.run_after, back.retries) == (JobStatus.QUEUED, None, 0)
    assert back.history[-1].reason == "worker_stopped"
    assert routed.redis.llen("interactive") == 1
    assert attempts(routed, tenant) == 1


def test_the_call_of_a_worker_that_died_is_priced(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    scope = Scope.tenant(tenant.id)
    with called(routed, provider, tenant) as job:
        statement = claims.claim(tenant.id, job.id, 0)
        with pytest.MonkeyPatch.context() as patch:  # as if the first worker were gone: nobody renews its lease
            patch.setattr(Leases, "renew", lambda _: None)
            expire(routed, tenant, job.id)
            (taken,) = routed.database.run(scope, statement)
        route.wind_down()
    assert taken.interrupted is not None
    assert (taken.interrupted.provider, taken.interrupted.model) == ("local", "smollm2-135m")
    assert taken.interrupted.cents is not None
    assert taken.interrupted.cents > 0


def test_a_refusal_fails_at_once(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    provider.replies = [(400, "no such parameter", "")]
    assert run(routed, tenant, "refused").status is JobStatus.FAILED
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("text", "finish", "mode", "status", "served_again"),
    [
        ("Paris.", "stop", CacheMode.EXACT, JobStatus.COMPLETED, True),
        ("Par", "length", CacheMode.EXACT, JobStatus.INCOMPLETE, False),
        ("", "content_filter", CacheMode.EXACT, JobStatus.INCOMPLETE, False),
        ("  ", "stop", CacheMode.EXACT, JobStatus.COMPLETED, False),
        ("Paris.", "stop", CacheMode.OFF, JobStatus.COMPLETED, False),
    ],
)
def test_only_whole_answers_are_served_again(
    routed: Runtime,
    provider: Server,
    tenant: Tenant,
    text: str,
    finish: str,
    mode: CacheMode,
    status: JobStatus,
    served_again: bool,
) -> None:
    provider.replies = [(200, text, finish)]
    assert run(routed, tenant, "keep?", mode).status is status
    (again,) = routed.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [new_job("keep?")]))
    assert (again.answer is not None) is served_again


def test_the_calls_of_workers_that_died_are_counted_and_priced(
    routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    job = new_job("taken over", mode=CacheMode.OFF)
    scope = Scope.tenant(tenant.id)
    routed.database.run(scope, jobs.submit(tenant.id, [job]))
    for _ in range(2):  # one worker after the other takes it and dies
        (held,) = routed.database.run(scope, claims.claim(tenant.id, job.id, 0))
        route.account(routed, held, route.router())
    route.route.run(str(tenant.id), str(job.id))
    (ended,) = routed.database.run(scope, jobs.get(tenant.id, job.id))
    assert ended.routing is not None
    assert ended.routing.cache is CacheState.BYPASS
    assert ended.routing.attempts == 3
    assert routed.database.run(scope, ledger.book([tenant.id], [job.id])) == [3]
    (row,) = routed.database.run(scope, ledger.summary(tenant.id, grain="day", since=EPOCH, until=FAR))
    assert (row.model, row.attempts, row.answered, row.unpriced) == ("smollm2-135m", 3, 1, 0)
    assert row.cost_cents == Decimal(ended.routing.cost_cents or 0) > 0


def test_what_failed_before_a_worker_died_is_booked_once(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    provider.replies = [(503, "busy", ""), (200, "Paris.", "stop")]
    job = run(routed, tenant, "failed first", CacheMode.OFF)
    assert job.status is JobStatus.COMPLETED
    scope = Scope.tenant(tenant.id)
    give_up = time.monotonic() + 5
    while routed.database.run(scope, ledger.book([tenant.id], [job.id])) != [0] and time.monotonic() < give_up:
        time.sleep(0.1)  # the note of the failure may come after the end
    rows = routed.database.run(scope, ledger.summary(tenant.id, grain="day", since=EPOCH, until=FAR))
    assert [(row.attempts, row.answered) for row in rows] == [(2, 1)]


def test_a_second_bell_does_not_call_again(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    job = run(routed, tenant, "once")
    route.route.run(str(tenant.id), str(job.id))
    assert provider.asked == 1


def test_an_ended_job_stops_the_call_and_books_what_was_spent(
    routed: Runtime, provider: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "lost", lambda *_: provider.asked > 0)
    provider.replies = [(503, "busy", "")]
    job = run(routed, tenant, "cancelled")
    assert job.error is not None
    assert job.error.code == "cancelled"
    assert provider.asked == 1
    assert attempts(routed, tenant) == 1
