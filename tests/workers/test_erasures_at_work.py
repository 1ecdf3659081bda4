"""What comes while something is erased, and after it, is stored nowhere; a part goes with all that was made of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from builders import completed, new_job
from conftest import Postgres, Tenant
from workers.batching import Scene, line, scene
from workers.erasing import MARK, Desk, attempt, desk, fill
from workers.provider_server import Server
from workers.test_route import called, provider, routed

from aico.core.jobs import CacheMode, JobStatus
from aico.store import batches, claims, erasures, jobs, ledger
from aico.store.data_requests import HeldRequest, RequestStatus
from aico.workers import data, said
from aico.workers.erase_work import Erasure
from aico.workers.queue import CANCELLED_CHANNEL
from aico.workers.runtime import Runtime

__all__ = ["provider", "routed", "scene"]
__all__ = ["desk", "provider", "routed", "scene"]


def test_an_answer_that_comes_after_the_erasure_is_stored_nowhere(
    desk: Desk, routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    provider.replies = [(200, f"it is {MARK}", "stop")]
    with called(routed, provider, tenant) as job:
        assert desk.erase().status is RequestStatus.COMPLETED
        provider.gate.set()
    assert desk.run(jobs.get(tenant.id, job.id)) == []
    assert desk.traces() == {}


def test_the_words_of_a_late_attempt_are_dropped_and_its_cost_is_booked(desk: Desk) -> None:
    job = new_job(f"late {MARK}", mode=CacheMode.EXACT)
    desk.run(jobs.submit(desk.tenant.id, [job]))
    (held,) = desk.run(claims.claim(desk.tenant.id, job.id, 30))
    desk.erase()
    late = replace(completed(job.id, held.fence, text=MARK), attempts=(attempt(),))
    assert desk.run(claims.finish(desk.tenant.id, [late], 3600)) == []
    desk.run(claims.lose(held, attempt()))
    assert desk.traces() == {}
    assert desk.run(ledger.pending(desk.tenant.id)) == [2]


def test_an_attempt_that_is_being_booked_makes_the_erasure_wait(desk: Desk, postgres: Postgres) -> None:
    job = new_job(f"at once {MARK}", mode=CacheMode.EXACT)
    desk.run(jobs.submit(desk.tenant.id, [job]))
    row = {"t": desk.tenant.id, "j": job.id, "mark": MARK}
    with psycopg.connect(postgres.admin_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute(
            "insert into ledger_outbox (id, tenant_id, at, job_id, kind, outcome, provider, model, latency_ms, error)"
            " values (gen_random_uuid(), %(t)s, now(), %(j)s, 'call', 'ok', 'p', 'm', 1, %(mark)s)",
            row,
        )
        erasing = pool.submit(desk.erase)
        while not desk.admin.execute("select 1 from pg_locks where not granted").fetchall():
            assert not erasing.done()
        other.commit()
        assert erasing.result(30).status is RequestStatus.COMPLETED
    assert desk.traces() == {}


def test_a_semantic_hit_of_an_erased_answer_is_not_served(desk: Desk) -> None:
    desk.answered()
    asking = new_job(f"another wording of {MARK}")
    desk.run(jobs.submit(desk.tenant.id, [asking]))
    (entry,) = desk.admin.execute("select id from cache_entries where tenant_id = %s", (desk.tenant.id,)).fetchall()
    desk.admin.execute("delete from cache_entries where id = %s", (entry["id"],))
    hit = replace(completed(asking.id, 0, text=MARK, keep=False), entry=entry["id"])
    assert desk.run(claims.finish(desk.tenant.id, [hit], 3600)) == []
    assert desk.run(jobs.get(desk.tenant.id, asking.id))[0].status is JobStatus.QUEUED


def test_streamed_text_is_dropped_and_whoever_works_on_the_job_is_told(desk: Desk) -> None:
    job = new_job("a stream", streams=True, mode=CacheMode.EXACT)
    desk.run(jobs.submit(desk.tenant.id, [job]))
    (held,) = desk.run(claims.claim(desk.tenant.id, job.id, 30))
    key = said.key(job.id, held.fence - 1)
    desk.runtime.redis.set(key, MARK)
    with desk.runtime.redis.pubsub() as hearing:  # type: ignore[no-untyped-call]
        hearing.subscribe(CANCELLED_CHANNEL)
        hearing.get_message(timeout=5)
        desk.erase()
        message = hearing.get_message(timeout=5)
    assert message is not None
    assert message["data"] == str(job.id)
    assert desk.runtime.redis.get(key) is None


def test_an_erasure_that_is_cut_off_goes_on_from_where_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk)
    request = desk.ask()
    real, calls = erasures.rows, []

    def dying(held: HeldRequest, noun: str, *, limit: int) -> Any:
        calls.append(noun)
        if len(calls) == 6:
            raise SystemError("the process is killed")
        return real(held, noun, limit=limit)

    monkeypatch.setattr(erasures, "rows", dying)
    with pytest.raises(SystemError):
        Erasure(desk.runtime, desk.hold(request)).run()
    desk.let_go(request)
    data.work_on(desk.runtime, desk.tenant.id, request)
    receipt = desk.see(request)
    assert receipt.status is RequestStatus.COMPLETED
    assert (receipt.counts["jobs"], receipt.counts["cache_entries"]) == (6, 5)
    assert desk.traces() == {}


def test_whoever_lost_the_claim_counts_and_ends_nothing(desk: Desk) -> None:
    desk.answered()
    request = desk.ask()
    stale = desk.hold(request)
    desk.let_go(request)
    desk.hold(request)
    assert Erasure(desk.runtime, stale).run() is False
    assert desk.see(request).status is RequestStatus.IN_PROGRESS
    assert desk.see(request).counts.get("jobs", 0) == 0
    assert desk.traces() != {}


def test_a_tag_erases_its_jobs_with_what_was_copied_from_them(desk: Desk) -> None:
    kept = desk.answered("an innocent question", tags=("b",))
    gone = [desk.answered(f"{number} {MARK}", tags=("a", "b")) for number in range(3)]
    copy = new_job(f"1 {MARK}")
    assert desk.run(jobs.submit(desk.tenant.id, [copy]))[0].answer is not None
    receipt = desk.erase(tag="a")
    assert receipt.counts["jobs"] == 4
    assert receipt.counts["cache_entries"] == 3
    for job in (*gone, copy):
        assert desk.run(jobs.get(desk.tenant.id, job.id)) == []
    assert desk.run(jobs.get(desk.tenant.id, kept.id))[0].answer is not None
    marks = desk.traces()
    assert set(marks) <= {
        f"{table}.{column}"
        for table, column in (
            ("jobs", "metadata"),
            ("jobs", "answer"),
            ("cache_entries", "answer"),
            ("feedback", "comment"),
            ("ledger_attempts", "usage_raw"),
            ("ledger_attempts", "error"),
            ("decisions", "asked"),
        )
    }
    assert marks["decisions.asked"] == 1
    assert desk.erase(job_ids=[str(kept.id)]).counts["jobs"] == 1
    assert desk.traces() == {}


def test_jobs_from_before_a_time_are_erased_and_later_ones_stay(desk: Desk) -> None:
    older = desk.answered()
    row = desk.admin.execute("select clock_timestamp() as now").fetchone()
    assert row is not None
    later = desk.answered("an innocent question")
    receipt = desk.erase(before=row["now"].isoformat())
    assert receipt.counts["jobs"] == 1
    assert desk.run(jobs.get(desk.tenant.id, older.id)) == []
    assert desk.run(jobs.get(desk.tenant.id, later.id)) != []


def test_an_open_batch_is_ended_before_its_lines_and_files_go(desk: Desk, scene: Scene) -> None:
    batch = scene.taken_in([line(MARK, prompt=f"one {MARK}"), line("b", prompt=f"two {MARK}")])
    first, _ = scene.jobs(batch)
    request = desk.ask(before=datetime.now(UTC).isoformat())
    data.work_on(desk.runtime, desk.tenant.id, request)
    assert desk.see(request).finished_at is None
    assert scene.see(batch).status is batches.BatchStatus.CANCELLING
    assert scene.finish(batch).status is batches.BatchStatus.CANCELLED
    desk.let_go(request)
    data.work_on(desk.runtime, desk.tenant.id, request)
    assert desk.see(request).counts["jobs"] == 2
    assert scene.run(jobs.get(desk.tenant.id, first.id)) == []
    assert desk.traces() == {}


def test_everything_ends_open_batches_at_once(desk: Desk, scene: Scene) -> None:
    batch = scene.taken_in([line("a", prompt=MARK)])
    held = scene.claim(batch)
    desk.erase()
    assert desk.traces() == {}
    scene.work.step(held)  # whoever was at it
    assert desk.traces() == {}
    assert scene.run(batches.get(desk.tenant.id, batch)) == []


def test_the_service_cannot_strip_the_ledger_of_a_tenant_that_it_did_not_name(
    desk: Desk, make_tenant: Callable[[], Tenant]
) -> None:
    job = desk.answered()
    with psycopg.connect(desk.runtime.settings.database_url) as connection:
        connection.execute(
            "select set_config('role', 'aico_service', true), set_config('aico.tenants', %s, true)",
            (str(make_tenant().id),),
        )
        found = connection.execute("select private.erase_ledger_of(%s, %s)", (desk.tenant.id, [job.id])).fetchone()
        assert found == (0,)
        page = connection.execute("select erased from private.erase_ledger_after(%s, '', 10)", (desk.tenant.id,))
        assert page.fetchone() == (0,)
    assert desk.traces()["ledger_attempts.error"] == 2
    desk.erase()
