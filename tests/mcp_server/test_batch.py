"""Many prompts at once. The routes behind it are simulated by `fake_batches`, in the formats that OpenAI publishes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.types import EmptyResult
from mcp_server.conftest import refusal, structured
from mcp_server.fake_batches import BatchApi
from mcp_server.task_client import StartedTask, TakesTasks, cancel, get
from pydantic import SecretStr

from aico.mcp_server.api import Access
from aico.mcp_server.batch_files import BatchItem, BatchMessage, input_lines, results
from aico.mcp_server.server import make_server

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def assistant(api: BatchApi, **options: Any) -> AsyncIterator[Client]:
    transport = httpx2.ASGITransport(api.app())
    async with (
        httpx2.AsyncClient(transport=transport, base_url="http://fake") as http,
        Client(make_server(Access(http, SecretStr("aico_live_x"), patience_seconds=0.2)), **options) as client,
    ):
        yield client


async def test_a_list_of_prompts_comes_back_answered_in_its_order() -> None:
    api = BatchApi(failing={"two"}, per_reading=4)
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    prompts = ["one", "two", *(f"number {count}" for count in range(3, 11))]
    async with assistant(api) as client:
        found = structured(await client.call_tool("run_batch", {"requests": prompts}, progress_callback=hear))
    assert (found["batch_id"], found["status"]) == ("batch_0", "completed")
    assert (found["total"], found["answered"], found["failed"]) == (10, 9, 1)
    assert [result["custom_id"] for result in found["results"]] == [f"prompt-{count:02}" for count in range(1, 11)]
    one, two, three = found["results"][:3]
    assert (one["text"], one["model"], one["finish_reason"], one["error"]) == ("ONE", "small", "stop", None)
    assert (one["input_tokens"], one["output_tokens"]) == (3, 2)
    assert (two["text"], two["error"]) == (None, "no_answer: nobody answers two")
    assert three["text"] == "NUMBER 3"
    assert [progress for progress, _, _ in heard] == [0, 4, 8]
    assert {total for _, total, _ in heard} == {10}
    assert heard[1][2] == "batch batch_0: in_progress, 3 of 10 answered, 1 failed"


async def test_the_input_file_is_what_openai_documents() -> None:
    api = BatchApi()
    requests = [
        {"custom_id": "a", "prompt": "{}", "model": "gpt-5.4", "temperature": 0.5},
        {"custom_id": "b", "messages": [{"role": "user", "content": "Hello."}]},
    ]
    arguments = {"requests": requests, "system": "null", "max_tokens": 9, "completion_window": "2h"}
    async with assistant(api) as client:
        structured(await client.call_tool("run_batch", arguments))
    assert api.purposes == ["batch"]
    assert api.batches["batch_0"]["endpoint"] == "/v1/chat/completions"
    assert api.batches["batch_0"]["completion_window"] == "2h"
    assert [(line["method"], line["url"], line["custom_id"]) for line in api.lines] == [
        ("POST", "/v1/chat/completions", "a"),
        ("POST", "/v1/chat/completions", "b"),
    ]
    first, second = (line["body"] for line in api.lines)
    turns = [{"role": "system", "content": "null"}, {"role": "user", "content": "{}"}]
    assert first == {"model": "gpt-5.4", "max_tokens": 9, "temperature": 0.5, "messages": turns}
    assert second == {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello."}]}


async def test_a_batch_becomes_a_task_named_by_its_id() -> None:
    api, tasks = BatchApi(), TakesTasks()
    async with assistant(api, extensions=[tasks]) as client:
        found = structured(await client.call_tool("run_batch", {"requests": ["one"]}))
    assert tasks.started[0].task_id == "run_batch.batch_0"
    assert tasks.started[0].created_at == "2027-01-15T08:00:00Z"
    assert tasks.seen[-1].status_message == "batch batch_0: completed, 1 of 1 answered"
    assert found["results"][0]["text"] == "ONE"


async def test_a_cancelled_batch_is_a_cancelled_task() -> None:
    async def stop(task: StartedTask) -> None:
        for _ in range(2):
            await client.session.send_request(cancel(task.task_id), EmptyResult)

    api, tasks = BatchApi(), TakesTasks(stop)
    async with assistant(api, extensions=[tasks]) as client:
        assert (await client.call_tool("run_batch", {"requests": ["one", "two"]})).is_error
        with pytest.raises(MCPError, match=r"there is no task 'run_batch\.batch_9'"):
            await client.session.send_request(get("run_batch.batch_9"), EmptyResult)
    assert tasks.seen[-1].status == "cancelled"
    assert api.cancels == 1


async def test_a_refused_batch_names_the_lines_at_fault() -> None:
    async with assistant(BatchApi(refuses="no such model")) as client:
        told = refusal(await client.call_tool("run_batch", {"requests": ["one"]}))
    assert "batch batch_0 was refused: line 1: no such model. Correct the requests and call again." in told


async def test_a_batch_that_may_have_been_created_is_not_created_again() -> None:
    api = BatchApi(drops=1)
    async with assistant(api) as client:
        assert "bad gateway" in refusal(await client.call_tool("run_batch", {"requests": ["one"]}))
    assert len(api.batches) == 1
    assert all(key and key.startswith('"') for key in api.keys)


def test_numbers_of_prompts_sort_like_the_prompts() -> None:
    lines = input_lines(["x"] * 100, {}).splitlines()
    assert '"custom_id": "prompt-001"' in lines[0]
    assert '"custom_id": "prompt-100"' in lines[99]


def test_an_items_own_instructions_win() -> None:
    item = BatchItem(custom_id="a", prompt="x", system="Mine.")
    assert '"content": "Mine."' in input_lines([item], {"system": "Everybody's."})
    turn = BatchMessage(role="user", content="x")
    assert "Everybody" not in input_lines([BatchItem(custom_id="a", messages=[turn])], {"system": "Everybody's."})


def test_an_error_without_a_response_is_told_and_line_separators_in_answers_split_nothing() -> None:
    gone = '{"custom_id": "b", "response": null, "error": {"code": "batch_expired", "message": "too late"}}\n'
    body = '{"choices": [{"message": {"content": "one\u2028two"}, "finish_reason": "stop"}]}'
    kept = f'{{"custom_id": "a", "response": {{"status_code": 200, "body": {body}}}, "error": null}}\n'
    first, second = results([gone, kept])
    assert (first.custom_id, first.text) == ("a", "one\u2028two")
    assert (second.custom_id, second.error) == ("b", "batch_expired: too late")
