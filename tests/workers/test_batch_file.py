"""A file of requests that is no batch fails it, with the place of each fault; nothing of it is answered."""

import json
from typing import Any

import pytest
from workers.batching import ENDPOINT, Scene, jsonl, line, scene, with_limit

from aico.wire.batch_lines import MAX_LINES

__all__ = ["scene"]

GOOD = jsonl([line("a")])


def refusal(scene: Scene, content: bytes, **options: Any) -> list[dict[str, Any]]:
    batch = scene.batch(content, **options)
    seen = scene.step(batch)
    assert (seen.status.value, seen.total) == ("failed", 0)
    assert seen.finished_at is not None
    assert scene.jobs(batch) == []
    return seen.errors


def changed(**fields: Any) -> bytes:
    """A line of which some fields are others; those that are None are left out."""
    fields = {**line("b"), **fields}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "code", "param", "number"),
    [
        (GOOD + b'{"custom_id": "\xff"}\n', "invalid_utf8", None, 2),
        (GOOD + b"\n" + b'{"custom_id": \n', "invalid_json_line", None, 3),
        (GOOD + b'["b"]\n', "invalid_json_line", None, 2),
        (GOOD + b'{"custom_id": NaN}\n', "invalid_json_line", None, 2),
        (GOOD + b'{"custom_id": "\\ud800"}\n', "invalid_json_line", None, 2),
        (GOOD + b"[" * 10_000 + b"\n", "invalid_json_line", None, 2),
        (GOOD + changed(custom_id=None), "missing_required_parameter", "custom_id", 2),
        (GOOD + changed(body=None), "missing_required_parameter", "body", 2),
        (GOOD + changed(method="GET"), "invalid_parameter", "method", 2),
        (GOOD + changed(custom_id=""), "invalid_parameter", "custom_id", 2),
        (GOOD + changed(custom_id=7), "invalid_parameter", "custom_id", 2),
        (GOOD + changed(custom_id="x" * 513), "invalid_parameter", "custom_id", 2),
        (GOOD + changed(custom_id="\x00"), "invalid_parameter", "custom_id", 2),
        (GOOD + changed(body=[]), "invalid_parameter", "body", 2),
        (GOOD + changed(url="/v1/embeddings"), "mismatched_endpoint", "url", 2),
        (GOOD + GOOD, "duplicate_custom_id", "custom_id", 2),
        (b"", "empty_file", "input_file_id", None),
        (b"\n  \n\r\n", "empty_file", "input_file_id", None),
    ],
)
def test_a_fault_is_named_with_its_line(
    scene: Scene, content: bytes, code: str, param: str | None, number: int | None
) -> None:
    (error,) = refusal(scene, content)
    assert (error["code"], error["param"], error["line"]) == (code, param, number)
    assert error["message"]


def test_all_faults_are_named_up_to_a_hundred(scene: Scene) -> None:
    assert [error["line"] for error in refusal(scene, b"{\n" * 3 + GOOD + b"{\n")] == [1, 2, 3, 5]
    assert len(refusal(scene, b"{\n" * 150)) == 100


def test_a_line_of_ten_megabytes_is_too_long_and_the_next_is_read(scene: Scene) -> None:
    content = GOOD + b'{"custom_id": "' + b"x" * 10_000_000 + b'"}\n' + b"{\n"
    too_long, broken = refusal(scene, content)
    assert (too_long["code"], too_long["line"]) == ("line_too_long", 2)
    assert (broken["code"], broken["line"]) == ("invalid_json_line", 3)


def test_a_line_may_be_exactly_as_long_as_is_allowed(scene: Scene) -> None:
    length = len(GOOD) - 1
    batch, other = scene.batch(GOOD), scene.batch(GOOD)
    assert with_limit(scene, max(length, 1024))(batch).status.value == "in_progress"
    long = jsonl([line("a", "x" * 2000)])
    exact, short = scene.batch(long), scene.batch(long)
    assert with_limit(scene, len(long) - 1)(exact).status.value == "in_progress"
    assert with_limit(scene, len(long) - 2)(short).errors[0]["code"] == "line_too_long"
    assert scene.see(other).status.value == "validating"


def test_one_line_too_many_fails_the_whole(scene: Scene) -> None:
    body = json.dumps(line("")["body"])
    text = "".join(
        f'{{"custom_id":"{number}","method":"POST","url":"{ENDPOINT}","body":{body}}}\n' for number in range(MAX_LINES)
    )
    (error,) = refusal(scene, text.encode() + GOOD)
    assert (error["code"], error["line"]) == ("too_many_lines", None)
    accepted = scene.step(scene.batch(text.encode()))
    assert (accepted.status.value, accepted.total) == ("in_progress", MAX_LINES)


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_lines_may_lie_across_chunks_end_without_a_line_end_and_begin_with_a_mark(scene: Scene, chunk: int) -> None:
    content = b"\xef\xbb\xbf" + jsonl([line("ä"), line("b")]).replace(b"\n", b"\r\n") + jsonl([line("c")])[:-1]
    batch = scene.taken_in(content, chunk=chunk)
    assert [job.custom_id for job in scene.jobs(batch)] == ["ä", "b", "c"]
    assert [job.batch_line for job in scene.jobs(batch)] == [1, 2, 3]


def test_a_file_that_is_gone_fails_the_batch(scene: Scene) -> None:
    batch = scene.batch(GOOD)
    scene.sql("delete from files where tenant_id = %(t)s", t=scene.tenant.id)
    assert [error["code"] for error in scene.step(batch).errors] == ["file_not_found"]
