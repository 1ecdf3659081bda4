"""A batch goes on, whatever dies: each line is answered once, and the results are in the order of the lines."""

import json
import time

import pytest
from faults.slow_provider import Scene
from openai.types import Batch

LINES, QUESTIONS = 1500, 300

pytestmark = pytest.mark.timeout(300)


def line(number: int) -> bytes:
    messages = [{"role": "user", "content": f"What is question {number % QUESTIONS} about?"}]
    body = {"model": "simulated-small", "messages": messages, "aico": {"cache": "exact", "fallback": False}}
    request = {"custom_id": f"line {number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(request).encode() + b"\n"


def begun(scene: Scene) -> Batch:
    content = b"".join(map(line, range(LINES)))
    file = scene.patient.files.create(file=("requests.jsonl", content), purpose="batch")
    return scene.patient.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        extra_headers={"Idempotency-Key": file.id},
    )


def ended(scene: Scene, batch: Batch, seconds: float = 240) -> Batch:
    give_up = time.monotonic() + seconds
    while (now := scene.patient.batches.retrieve(batch.id)).status not in {
        "completed",
        "failed",
        "expired",
        "cancelled",
    }:
        assert time.monotonic() < give_up, now
        time.sleep(0.5)
    return now


def test_each_line_is_answered_once_whatever_is_killed(scene: Scene) -> None:
    batch = begun(scene)
    for part in ("batch", "route", "batch", "valkey", "api", "sweep", "batch", "postgres"):
        scene.product.part(part).kill()
        time.sleep(2)  # until it has been started again, and works
    done = ended(scene, batch)
    assert done.status == "completed"
    assert done.request_counts is not None
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (LINES, LINES, 0)
    assert done.output_file_id is not None
    results = [json.loads(text) for text in scene.patient.files.content(done.output_file_id).text.splitlines()]
    assert [result["custom_id"] for result in results] == [f"line {number}" for number in range(LINES)]
    said = [result["response"]["body"]["choices"][0]["message"]["content"] for result in results]
    assert len(set(said)) == QUESTIONS  # the model says the same to the same question, and to another something else
    assert all(said[number] == said[number % QUESTIONS] for number in range(LINES))
    assert done.error_file_id is None
    assert done.usage is not None
    assert done.usage.output_tokens == sum(
        result["response"]["body"]["usage"]["completion_tokens"] for result in results
    )
