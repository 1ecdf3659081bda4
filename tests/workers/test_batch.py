"""A batch from its file of requests to its files of results: the real worker and database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from builders import ending_of
from conftest import Tenant
from workers.batching import Line, Scene, jsonl, line, scene

from aico.core.ids import new_id
from aico.core.jobs import JobClass, JobStatus
from aico.store import batch_steps, batches, claims, jobs, webhooks
from aico.store.batches import NewBatch
from aico.store.files import delete, purge
from aico.store.scope import Scope
from aico.workers.sweep import Sweeper

__all__ = ["scene"]


def test_from_the_file_to_the_results(scene: Scene) -> None:
    batch = scene.batch([line(f"line {number}") for number in range(7)])
    assert scene.see(batch).status.value == "validating"
    assert scene.step(batch).status.value == "in_progress"
    scene.step(batch)
    lines = scene.jobs(batch)
    assert [job.custom_id for job in lines] == [f"line {number}" for number in range(7)]
    assert {job.job_class for job in lines} == {JobClass.BATCH}
    assert {job.deadline for job in lines} == {scene.see(batch).deadline}
    for job in reversed(lines[1:]):
        scene.answer(job, f"answer to {job.custom_id}")
    counted = scene.step(batch)
    assert (counted.total, counted.completed, counted.failed) == (7, 6, 0)
    scene.fail(lines[0])
    ended = scene.finish(batch)
    assert ended.status.value == "completed"
    assert (ended.total, ended.completed, ended.failed) == (7, 6, 1)
    assert (ended.input_tokens, ended.output_tokens) == (6 * 5, 6 * 3)
    output = scene.content(ended.output_file_id)
    assert [result["custom_id"] for result in output] == [f"line {number}" for number in range(1, 7)]
    first = output[0]
    assert first["id"] == f"batch_req_{lines[1].id.hex}"
    assert first["error"] is None
    assert first["response"]["status_code"] == 200
    assert first["response"]["request_id"] == f"req_{lines[1].id.hex}"
    body = first["response"]["body"]
    assert (body["object"], body["choices"][0]["message"]["content"]) == ("chat.completion", "answer to line 1")
    assert body["aico"]["job_id"] == str(lines[1].id)
    (failed,) = scene.content(ended.error_file_id)
    assert (failed["custom_id"], failed["error"], failed["response"]["status_code"]) == ("line 0", None, 502)
    assert failed["response"]["body"]["error"]["code"] == "no_answer"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "no such model"}, 404, "model"),
        ({"stream": True}, 400, "stream"),
        ({"colour": "red"}, 400, "colour"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 200_001}]}, 413, "messages"),
        ({"aico": {"deadline": "2020-01-01T00:00:00Z"}}, 400, "deadline"),
        ({"aico": {"quality_floor": 2}}, 400, "aico.quality_floor"),
    ],
)
def test_a_body_that_cannot_be_answered_is_a_fault_of_its_line_alone(
    scene: Scene, body: Line, status: int, param: str
) -> None:
    batch = scene.taken_in([line("good"), line("bad", **body)])
    (good,) = scene.jobs(batch)
    scene.answer(good)
    ended = scene.finish(batch)
    assert (ended.status.value, ended.completed, ended.failed) == ("completed", 1, 1)
    (bad,) = scene.content(ended.error_file_id)
    assert (bad["custom_id"], bad["error"], bad["response"]["status_code"]) == ("bad", None, status)
    assert bad["response"]["body"]["error"]["param"] == param
    assert bad["id"].startswith("batch_req_")


def test_where_nothing_failed_there_is_no_file_of_errors_and_the_other_way_round(scene: Scene) -> None:
    for body, present in (({}, "output_file_id"), ({"colour": "red"}, "error_file_id")):
        batch = scene.taken_in([line("a", **body)])
        for job in scene.jobs(batch):
            scene.answer(job)
        ended = scene.finish(batch)
        named = {name for name in ("output_file_id", "error_file_id") if getattr(ended, name)}
        assert named == {present}
    rows = scene.sql("select filename, complete from files where tenant_id = %(t)s", t=scene.tenant.id)
    assert all(row["complete"] for row in rows)
    assert len(rows) == 4


def test_what_was_answered_before_is_answered_at_once(scene: Scene) -> None:
    same = {"aico": {"cache": "exact"}}
    (job,) = scene.jobs(scene.taken_in([line("a", "What is it?", **same)]))
    assert job.status is JobStatus.QUEUED
    (held,) = scene.run(claims.claim(scene.tenant.id, job.id, 30))
    scene.run(claims.finish(scene.tenant.id, [ending_of(held)], 3600))
    batch = scene.taken_in([line("b", "What is it?", **same), line("c", "What is it?", **same)])
    ended = scene.finish(batch)
    assert (ended.status.value, ended.completed) == ("completed", 2)
    bodies = [result["response"]["body"] for result in scene.content(ended.output_file_id)]
    assert [body["aico"]["cache"] for body in bodies] == ["exact", "exact"]


def test_a_line_says_its_class_and_a_sooner_deadline_itself(scene: Scene) -> None:
    controls = [{"class": "standard"}, {"completion_window": "1h"}, {"completion_window": "7d"}]
    batch = scene.taken_in([line(str(number), aico=said) for number, said in enumerate(controls)])
    first, second, third = scene.jobs(batch)
    assert first.job_class is JobClass.STANDARD
    assert second.deadline < scene.see(batch).deadline
    assert third.deadline == scene.see(batch).deadline


def test_a_crash_between_two_pages_neither_loses_nor_doubles_a_line(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = jsonl([line(str(number)) for number in range(8)] + [line("bad", colour="red")])
    batch = scene.batch(content, chunk=50)
    scene.step(batch)
    stale = scene.claim(batch)
    pages = 0
    whole = scene.work._intake._store

    def dying(*arguments: Any) -> bool | None:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise RuntimeError("the process dies here")
        return whole(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(scene.work._intake, "_store", dying)
        with pytest.raises(RuntimeError):
            scene.work.step(stale)
    assert len(scene.jobs(batch)) == 3
    fresh = scene.claim(batch)
    assert (fresh.read_lines, fresh.read) == (3, False)
    scene.work._intake.take_in(stale, None)  # it was not dead after all
    assert len(scene.jobs(batch)) == 3
    scene.work._intake.take_in(fresh, None)
    scene.work._intake.take_in(stale, None)
    assert [job.custom_id for job in scene.jobs(batch)] == [str(number) for number in range(8)]
    for job in scene.jobs(batch):
        scene.answer(job)
    ended = scene.finish(batch)
    assert (ended.total, ended.completed, ended.failed) == (9, 8, 1)


def test_a_crash_while_results_are_written_writes_each_once(scene: Scene) -> None:
    batch = scene.taken_in([line(str(number)) for number in range(8)])
    for job in scene.jobs(batch):
        scene.answer(job)
    scene.step(batch)
    stale = scene.claim(batch)
    assert stale.output_file_id is not None
    assert stale.error_file_id is not None
    found = scene.run(batch_steps.results(stale, 0, limit=3, max_bytes=10_000))
    assert [result.line for result in found] == [1, 2, 3]
    files = (stale.output_file_id, stale.error_file_id)
    assert scene.run(batch_steps.write(stale, 0, 3, [(files[0], b'{"custom_id":"early"}\n')], []))
    fresh = scene.claim(batch)
    assert fresh.written_line == 3
    assert not scene.work._results.write(stale, *files)
    assert scene.work._results.write(fresh, *files)
    ended = scene.finish(batch)
    names = [result["custom_id"] for result in scene.content(ended.output_file_id)]
    assert names == ["early", "3", "4", "5", "6", "7"]


def test_cancelling_mid_way_keeps_what_was_answered(scene: Scene) -> None:
    batch = scene.taken_in([line(str(number)) for number in range(6)])
    lines = scene.jobs(batch)
    scene.answer(lines[4])
    (held,) = scene.run(claims.claim(scene.tenant.id, lines[2].id, 30))
    assert scene.run(batches.cancel(scene.tenant.id, batch))
    ended = scene.finish(batch)
    assert ended.status.value == "cancelled"
    assert (ended.total, ended.completed, ended.failed) == (6, 1, 5)
    assert [result["custom_id"] for result in scene.content(ended.output_file_id)] == ["4"]
    errors = scene.content(ended.error_file_id)
    assert [result["custom_id"] for result in errors] == ["0", "1", "2", "3", "5"]
    assert {(result["response"], result["error"]["code"]) for result in errors} == {(None, "batch_cancelled")}
    assert scene.run(claims.finish(scene.tenant.id, [ending_of(held)], 3600)) == []  # it comes too late
    assert scene.run(batches.cancel(scene.tenant.id, batch)) == []


def test_cancelling_before_the_file_was_read_leaves_no_line_out(scene: Scene) -> None:
    batch = scene.batch([line(str(number)) for number in range(7)])
    scene.step(batch)
    assert scene.run(batches.cancel(scene.tenant.id, batch))
    ended = scene.finish(batch)
    assert (ended.status.value, ended.total, ended.failed) == ("cancelled", 7, 7)
    assert scene.jobs(batch) == []
    assert {result["error"]["code"] for result in scene.content(ended.error_file_id)} == {"batch_cancelled"}


def test_a_batch_that_is_cancelled_while_it_is_read_stops_there(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = scene.batch([line(str(number)) for number in range(9)])
    scene.step(batch)
    whole = scene.work._intake._store

    def cancelling(*arguments: Any) -> bool | None:
        scene.run(batches.cancel(scene.tenant.id, batch))
        return whole(*arguments)

    monkeypatch.setattr(scene.work._intake, "_store", cancelling)
    scene.step(batch)
    assert len(scene.jobs(batch)) == 3
    ended = scene.finish(batch)
    assert (ended.status.value, ended.failed) == ("cancelled", 9)
    assert len(scene.content(ended.error_file_id)) == 9


def test_cancelling_before_the_file_was_checked_leaves_nothing(scene: Scene) -> None:
    batch = scene.batch([line("a")])
    assert scene.run(batches.cancel(scene.tenant.id, batch))
    ended = scene.finish(batch)
    assert (ended.status.value, ended.total, ended.output_file_id, ended.error_file_id) == ("cancelled", 0, None, None)


def test_a_batch_whose_time_is_up_expires_and_keeps_what_was_answered(scene: Scene) -> None:
    batch = scene.taken_in([line(str(number)) for number in range(5)])
    scene.answer(scene.jobs(batch)[0])
    _let_time_pass(scene, batch)
    ended = scene.finish(batch)
    assert (ended.status.value, ended.completed, ended.failed) == ("expired", 1, 4)
    assert [result["custom_id"] for result in scene.content(ended.output_file_id)] == ["0"]
    assert {result["error"]["code"] for result in scene.content(ended.error_file_id)} == {"batch_expired"}


def test_lines_that_the_sweeper_ended_first_expired_with_their_batch(scene: Scene) -> None:
    batch = scene.taken_in([line(str(number)) for number in range(2)])
    _let_time_pass(scene, batch)
    Sweeper(scene.runtime)._end_overdue()
    assert {job.status for job in scene.jobs(batch)} == {JobStatus.EXPIRED}
    ended = scene.finish(batch)
    assert ended.status.value == "expired"
    assert {result["error"]["code"] for result in scene.content(ended.error_file_id)} == {"batch_expired"}


def _let_time_pass(scene: Scene, batch: UUID) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    scene.sql("update jobs set deadline = %(d)s where batch_id = %(b)s", b=batch, d=before)
    scene.sql("update batches set deadline = %(d)s where id = %(b)s", b=batch, d=before)


def test_whoever_asked_for_them_hears_of_the_ends_of_batches_and_not_of_lines(scene: Scene) -> None:
    tenant, secret = scene.tenant.id, webhooks.make_secret()
    all_events, some, none = new_id(), new_id(), new_id()
    for endpoint, events in ((all_events, []), (some, ["batch.completed"]), (none, ["batch.failed"])):
        scene.run(webhooks.add(tenant, endpoint, "https://hooks.example.com", secret, events))
    batch = scene.taken_in([line("a")])
    scene.answer(scene.jobs(batch)[0])
    scene.finish(batch)
    rows = scene.sql("select endpoint_id, event, payload from webhook_deliveries where tenant_id = %(t)s", t=tenant)
    assert {row["endpoint_id"] for row in rows} == {all_events, some}
    assert {row["event"] for row in rows} == {"batch.completed"}
    payload = rows[0]["payload"]
    assert payload["id"].startswith("evt_")
    assert isinstance(payload["created_at"], int)
    assert (payload["object"], payload["type"]) == ("event", "batch.completed")
    assert payload["data"] == {"id": f"batch_{batch.hex}"}
    assert len({row["payload"]["id"] for row in rows}) == 1
    scene.step(scene.batch(b""))
    failed = scene.sql(
        "select endpoint_id from webhook_deliveries where tenant_id = %(t)s and event = 'batch.failed'", t=tenant
    )
    assert {row["endpoint_id"] for row in failed} == {all_events, none}
    assert scene.runtime.redis.llen("notify") == 4


def test_the_sweeper_rings_for_what_is_due_and_for_nothing_that_is_held(scene: Scene) -> None:
    batch = scene.batch([line("a")])
    due = {one.batch for one in scene.runtime.database.run(Scope.system(), batches.due(limit=1000))}
    assert batch in due
    scene.claim(batch)
    due = {one.batch for one in scene.runtime.database.run(Scope.system(), batches.due(limit=1000))}
    assert batch not in due
    scene.sql("update batches set lease_until = null where id = %(b)s", b=batch)
    scene.runtime.redis.delete("lines")
    Sweeper(scene.runtime)._ring_for_batches()
    assert scene.runtime.redis.llen("lines") > 0


def test_a_batch_of_another_tenants_file_cannot_be_made(scene: Scene, make_tenant: Callable[[], Tenant]) -> None:
    file = scene.file(jsonl([line("a")]))
    other = make_tenant().id
    new = NewBatch(
        id=new_id(),
        api_key_id=None,
        endpoint="/v1/chat/completions",
        window="1h",
        window_seconds=3600,
        output_ttl_seconds=3600,
        input_file=file,
        metadata={},
    )
    assert scene.runtime.database.run(Scope.tenant(other), batches.create(other, new)) == []


def test_what_a_batch_still_needs_is_neither_deleted_nor_purged(scene: Scene) -> None:
    batch = scene.taken_in([line("a")])
    scene.answer(scene.jobs(batch)[0])
    scene.step(batch)  # the files of results are begun
    file = scene.see(batch).input_file_id
    scene.sql("update files set expires_at = now() - interval '1 s' where tenant_id = %(t)s", t=scene.tenant.id)
    assert scene.run(delete(scene.tenant.id, file)) == []
    scene.sql("update jobs set created_at = now() - interval '9 d', finished_at = now() - interval '9 d'")
    database = scene.runtime.database
    database.run(Scope.system(), purge(limit=1000))
    Sweeper(scene.runtime)._keep_house()
    assert len(scene.jobs(batch)) == 1
    assert scene.finish(batch).output_file_id is not None
    database.run(Scope.system(), purge(limit=1000))
    assert scene.sql("select id from files where tenant_id = %(t)s", t=scene.tenant.id) == []


def test_old_batches_go_after_their_jobs(scene: Scene) -> None:
    batch = scene.taken_in([line("a"), line("b", colour="red")])
    scene.answer(scene.jobs(batch)[0])
    scene.finish(batch)
    scene.sql("update batches set finished_at = now() - interval '40 d' where id = %(b)s", b=batch)
    purge_batches = batches.purge(kept_days=30, limit=100)
    scene.runtime.database.run(Scope.system(), purge_batches)
    assert scene.see(batch).id == batch
    scene.sql("delete from jobs where batch_id = %(b)s", b=batch)
    scene.runtime.database.run(Scope.system(), purge_batches)
    assert scene.sql("select line from batch_faults where batch_id = %(b)s", b=batch) == []
    assert scene.run(batches.get(scene.tenant.id, batch)) == []


def test_a_line_is_read_back_as_a_job_of_its_batch(scene: Scene) -> None:
    batch = scene.taken_in([line("a")])
    (job,) = scene.run(jobs.page(scene.tenant.id, after=None, status=None, limit=5))
    assert (job.batch_id, job.batch_line, job.custom_id) == (batch, 1, "a")
