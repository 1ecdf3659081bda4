"""Batches that are cancelled, or whose time is up: what was answered is kept, and every line has a result."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from builders import ending_of
from workers.batching import Scene, line, scene

from aico.core.jobs import JobStatus
from aico.store import batches, claims
from aico.workers.sweep import Sweeper

__all__ = ["scene"]


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
