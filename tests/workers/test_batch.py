"""A batch from its file of requests to its files of results: the real worker and database."""

from collections.abc import Callable
from typing import Any

import pytest
from builders import ending_of
from conftest import Tenant
from listening import listening
from workers.batching import Line, Scene, jsonl, line, scene

from aico.core.access import OPERATOR
from aico.core.ids import new_id
from aico.core.jobs import JobClass, JobStatus
from aico.store import batch_steps, batches, claims, jobs, tenants
from aico.store.batches import NewBatch
from aico.store.scope import Scope

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
    with listening() as told:
        batch = scene.taken_in([line("b", "What is it?", **same), line("c", "What is it?", **same), line("d", "And?")])
    own = {span.attributes["aico.job.id"] for span in told if span.name == "job"}
    *hits, other = scene.jobs(batch)
    assert own == {str(hit.id) for hit in hits}
    scene.answer(other)
    ended = scene.finish(batch)
    assert (ended.status.value, ended.completed) == ("completed", 3)
    bodies = [result["response"]["body"] for result in scene.content(ended.output_file_id)]
    assert [body["aico"]["cache"] for body in bodies[:2]] == ["exact", "exact"]


def test_a_tenants_word_on_personal_questions_holds_for_lines_too(scene: Scene) -> None:
    scene.run(tenants.change(scene.tenant.id, OPERATOR, {"cache_personal": "never"}))
    asked: Line = {"user": "ada", "aico": {"cache": "exact"}}
    lines = [line("mine", "Where is my order?", **asked), line("anybody's", "What is an order?", **asked)]
    batch = scene.taken_in(lines)
    modes = scene.sql("select cache_mode from jobs where batch_id = %(b)s order by batch_line", b=batch)
    assert [row["cache_mode"] for row in modes] == ["off", "exact"]


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


def test_a_line_is_read_back_as_a_job_of_its_batch(scene: Scene) -> None:
    batch = scene.taken_in([line("a")])
    (job,) = scene.run(jobs.page(scene.tenant.id, after=None, status=None, limit=5))
    assert (job.batch_id, job.batch_line, job.custom_id) == (batch, 1, "a")


def test_a_batch_of_responses_is_answered_in_their_format(scene: Scene) -> None:
    bodies: list[Line] = [
        {"model": "auto", "input": "Hi", "aico": {"cache": "off"}},
        {"model": "auto", "input": "Hi", "previous_response_id": f"resp_{'0' * 32}"},
        {"model": "auto", "input": "x" * 200_001},
    ]
    lines = [{**line(str(n)), "url": "/v1/responses", "body": body} for n, body in enumerate(bodies)]
    batch = scene.taken_in(lines, endpoint="/v1/responses")
    (job,) = scene.jobs(batch)
    scene.answer(job, "Hello.")
    ended = scene.finish(batch)
    (result,) = scene.content(ended.output_file_id)
    body = result["response"]["body"]
    assert (body["object"], body["id"], body["status"]) == ("response", f"resp_{job.id.hex}", "completed")
    assert body["output"][0]["content"][0]["text"] == "Hello."
    errors = [result["response"]["body"]["error"]["param"] for result in scene.content(ended.error_file_id)]
    assert errors == ["previous_response_id", "input"]
