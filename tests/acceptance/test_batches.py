"""Batches through the whole product, by the official client: every process real, the model simulated."""

import json
import time
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from openai import OpenAI
from openai.types import Batch

from acceptance.conftest import Running

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
_PATIENCE_SECONDS = 90


@pytest.fixture
def client(product: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{product.url}/v1", api_key=product.key) as made:
        yield made


def line(name: str, prompt: str, **body: Any) -> dict[str, Any]:
    said = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    return {"custom_id": name, "method": "POST", "url": ENDPOINT, "body": {**said, **body}}


def begin(client: OpenAI, lines: list[dict[str, Any]]) -> Batch:
    content = "".join(json.dumps(one) + "\n" for one in lines).encode()
    file = client.files.create(file=("requests.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")


def until(client: OpenAI, batch: Batch, *statuses: str, completed: int = 0) -> Batch:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while batch.status not in statuses or (batch.request_counts and batch.request_counts.completed < completed):
        assert time.monotonic() < give_up, batch
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    return batch


def content(client: OpenAI, file: str | None) -> list[dict[str, Any]]:
    return [] if file is None else [json.loads(text) for text in client.files.content(file).text.splitlines()]


def test_a_file_of_requests_becomes_a_file_of_answers(client: OpenAI) -> None:
    lines = [line(f"l{number}", f"Count slowly to {number % 5}.") for number in range(30)]
    batch = until(client, begin(client, [*lines, line("wrong", "x", model="no-such-model")]), "completed")
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (31, 30, 1)
    output = content(client, batch.output_file_id)
    assert [result["custom_id"] for result in output] == [one["custom_id"] for one in lines]
    assert all("simulated" in result["response"]["body"]["choices"][0]["message"]["content"] for result in output)
    (wrong,) = content(client, batch.error_file_id)
    assert (wrong["custom_id"], wrong["response"]["status_code"]) == ("wrong", 404)
    assert batch.usage is not None
    assert batch.usage.output_tokens == sum(
        result["response"]["body"]["usage"]["completion_tokens"] for result in output
    )


def test_a_batch_that_is_cancelled_mid_way_keeps_its_results(client: OpenAI) -> None:
    controls: Any = {"aico": {"cache": "off"}}
    batch = begin(client, [line(f"l{number}", f"Spell the number {number}.", **controls) for number in range(3000)])
    until(client, batch, "in_progress", completed=1)
    client.batches.cancel(batch.id)
    batch = until(client, batch, "cancelled")
    output, errors = content(client, batch.output_file_id), content(client, batch.error_file_id)
    assert output
    assert errors
    assert len(output) + len(errors) == 3000
    assert {result["error"]["code"] for result in errors} == {"batch_cancelled"}
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (len(output), len(errors))


def test_responses_are_answered_in_a_batch_too(client: OpenAI) -> None:
    body = {"model": "auto", "input": "What is a batch?"}
    asked = {"custom_id": "r", "method": "POST", "url": "/v1/responses", "body": body}
    file = client.files.create(file=("r.jsonl", json.dumps(asked).encode()), purpose="batch")
    made = client.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")
    batch = until(client, made, "completed")
    (result,) = content(client, batch.output_file_id)
    assert "simulated" in result["response"]["body"]["output"][0]["content"][0]["text"]


def test_a_file_that_is_no_batch_fails_with_its_faults(client: OpenAI) -> None:
    same = line("same", "Hello.")
    batch = until(client, begin(client, [same, same]), "failed")
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(fault.code, fault.line) for fault in batch.errors.data] == [("duplicate_custom_id", 2)]
