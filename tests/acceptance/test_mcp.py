"""An assistant and the whole product: every process real, the model simulated."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any
from uuid import uuid4

import psutil
import pytest
from mcp import Client
from mcp.types import EmptyResult
from mcp_server.conftest import Open, over_http, over_stdio, structured
from mcp_server.task_client import StartedTask, TakesTasks, cancel

from acceptance.conftest import Running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["http", "stdio"])
def door(request: pytest.FixtureRequest, product: Running) -> Open:
    def opened(**options: Any) -> AbstractAsyncContextManager[Client]:
        if request.param == "http":
            return over_http(product.url, {"Authorization": f"Bearer {product.key}"}, **options)
        return over_stdio(product.url, product.key, **options)

    return opened


async def test_an_assistant_asks_watches_and_sees_what_it_cost(door: Open, request: pytest.FixtureRequest) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    prompt = f"Which rivers flow into the Black Sea, asked over {request.node.name}?"
    async with door() as client:
        first = structured(await client.call_tool("ask", {"prompt": prompt}, progress_callback=hear))
        again = structured(await client.call_tool("ask", {"prompt": prompt}))
        judged = structured(await client.call_tool("give_feedback", {"job_id": first["job_id"], "thumb": "up"}))
        costs = structured(await client.call_tool("cost_summary", {"days": 1}))
    assert (first["provider"], first["cache"], again["cache"]) == ("simulated", "miss", "exact")
    assert first["text"] == again["text"]
    assert heard[0] is not None
    assert heard[0].startswith(f"job {first['job_id']}: ")
    assert judged["score"] == 1
    assert costs["pending_events"] + sum(row["attempts"] for row in costs["rows"]) >= 2


async def test_an_assistant_has_a_batch_answered(door: Open, request: pytest.FixtureRequest) -> None:
    prompts = [f"Name river {number}, over {request.node.name}." for number in range(3)]
    async with door() as client:
        batch = structured(await client.call_tool("run_batch", {"requests": prompts}))
    assert (batch["status"], batch["total"], batch["answered"], batch["failed"]) == ("completed", 3, 3, 0)
    assert all("simulated" in result["text"] for result in batch["results"])


async def test_an_assistant_takes_tasks_and_ends_them(door: Open, request: pytest.FixtureRequest) -> None:
    tasks = TakesTasks()
    async with door(extensions=[tasks]) as client:
        asked = {"prompt": f"Name a mountain, over {request.node.name}.", "cache": "off"}
        answer = structured(await client.call_tool("ask", asked))
    assert tasks.started[0].task_id == f"ask.{answer['job_id']}"
    assert tasks.seen[-1].status == "completed"


async def test_a_cancelled_task_ends_its_job_before_a_worker_comes_to_it(door: Open, product: Running) -> None:
    async def stop(task: StartedTask) -> None:
        await client.session.send_request(cancel(task.task_id), EmptyResult)

    tasks = TakesTasks(stop)
    with halted(product.part("embed")):
        async with door(extensions=[tasks]) as client:
            assert (await client.call_tool("ask", {"prompt": f"Never mind {uuid4()}."})).is_error
            job = tasks.started[0].task_id.removeprefix("ask.")
            state = structured(await client.call_tool("get_job", {"job_id": job}))
    assert tasks.seen[-1].status == state["status"] == "cancelled"


@contextmanager
def halted(process: psutil.Process) -> Iterator[None]:
    """The process and its children take nothing on meanwhile."""
    family = [process, *process.children(recursive=True)]
    for one in family:
        one.suspend()
    try:
        yield
    finally:
        for one in family:
            one.resume()
