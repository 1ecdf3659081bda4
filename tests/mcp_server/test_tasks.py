"""Calls that become tasks: named by the job behind them, so that every server process can tell about them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from api.conftest import Rows, Workers, serving
from conftest import Tenant
from mcp import MCPError
from mcp.types import INVALID_PARAMS, METHOD_NOT_FOUND, EmptyResult
from mcp_server.conftest import Open, inside, over_http, refusal, structured, with_mcp
from mcp_server.task_client import StartedTask, TakesTasks, Task, cancel, get, update

from aico.core.settings import Settings
from aico.mcp_server.task_ids import TaskRef, TaskTool, read_task_id

SOME_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["http", "stdio"])
def door(request: pytest.FixtureRequest, http: Open, stdio: Open) -> Open:
    return http if request.param == "http" else stdio


async def test_a_question_becomes_a_task_and_ends_with_the_answer(door: Open, workers: Workers, tenant: Tenant) -> None:
    async def answer(task: StartedTask) -> None:
        workers.end(tenant.id, UUID(task.task_id.removeprefix("ask.")))

    tasks = TakesTasks(answer)
    async with door(extensions=[tasks]) as client:
        result = structured(await client.call_tool("ask", {"prompt": "What is the capital of France?"}))
    assert result["text"] == "Paris."
    (started,) = tasks.started
    assert started.task_id == f"ask.{result['job_id']}"
    assert (started.status, started.poll_interval_ms, started.ttl_ms) == ("working", 1000, 86_400_000)
    ended = tasks.seen[-1]
    assert (ended.status, ended.status_message) == ("completed", "completed")
    assert ended.created_at == started.created_at < ended.last_updated_at


async def test_what_the_cache_answers_is_no_task(http: Open, answered: None) -> None:
    async with http() as client:
        await client.call_tool("ask", {"prompt": "Again?"})
    tasks = TakesTasks()
    async with http(extensions=[tasks]) as client:
        assert structured(await client.call_tool("ask", {"prompt": "Again?"}))["cache"] == "exact"
    assert tasks.started == []


async def test_waiting_for_a_job_becomes_a_task_with_the_result_of_that_tool(
    http: Open, workers: Workers, tenant: Tenant
) -> None:
    async def answer(task: StartedTask) -> None:
        workers.end(tenant.id, UUID(task.task_id.removeprefix("wait_for_job.")))

    async with http(extensions=[TakesTasks(answer)]) as client:
        job = structured(await client.call_tool("submit", {"prompt": "Later."}))["job_id"]
        state = structured(await client.call_tool("wait_for_job", {"job_id": job}))
    assert (state["job_id"], state["ended"], state["answer"]["text"]) == (job, True, "Paris.")


async def test_a_question_without_an_answer_is_a_task_that_completes_with_the_reason(
    http: Open, workers: Workers, tenant: Tenant
) -> None:
    async def fail(task: StartedTask) -> None:
        workers.fail(tenant.id, UUID(task.task_id.removeprefix("ask.")))

    tasks = TakesTasks(fail)
    async with http(extensions=[tasks]) as client:
        told = refusal(await client.call_tool("ask", {"prompt": "Fail."}))
    assert "has no answer: the job is failed. Ask again" in told
    assert tasks.seen[-1].status == "completed"


async def test_a_task_outlives_the_server_that_started_it(
    base_settings: Settings, workers: Workers, tenant: Tenant
) -> None:
    headers = {"Authorization": f"Bearer {tenant.key}"}
    started: list[StartedTask] = []
    with serving(base_settings, with_mcp) as first:
        tasks = TakesTasks(_leave)
        async with over_http(first, headers, extensions=[tasks]) as client:
            with pytest.raises(_Left):
                await client.call_tool("ask", {"prompt": "Who waits?"})
        started = tasks.started
    task_id = started[0].task_id
    with serving(base_settings, with_mcp) as second:
        async with over_http(second, headers, extensions=[TakesTasks()]) as client:
            assert (await client.session.send_request(get(task_id), Task)).status == "working"
            workers.end(tenant.id, UUID(task_id.removeprefix("ask.")))
            task = await client.session.send_request(get(task_id), Task)
        async with inside(second, tenant.key, extensions=[TakesTasks()]) as elsewhere:
            assert await elsewhere.session.send_request(get(task_id), Task) == task
    assert task.status == "completed"
    assert task.result is not None
    assert task.result["structuredContent"]["text"] == "Paris."
    assert task.result["resultType"] == "complete"


async def test_a_cancelled_task_ends_its_job(http: Open, tenant: Tenant) -> None:
    async def stop(task: StartedTask) -> None:
        for _ in range(2):
            await client.session.send_request(cancel(task.task_id), EmptyResult)

    tasks = TakesTasks(stop)
    async with http(extensions=[tasks]) as client:
        result = await client.call_tool("ask", {"prompt": "Never mind."})
        assert result.is_error
        job = tasks.started[0].task_id.removeprefix("ask.")
        assert structured(await client.call_tool("get_job", {"job_id": job}))["status"] == "cancelled"
    assert tasks.seen[-1].status == "cancelled"


async def test_no_task_takes_input(http: Open) -> None:
    async def push(task: StartedTask) -> None:
        await client.session.send_request(update(task.task_id), EmptyResult)
        await client.session.send_request(cancel(task.task_id), EmptyResult)

    async with http(extensions=[TakesTasks(push)]) as client:
        assert (await client.call_tool("ask", {"prompt": "Anything else?"})).is_error


@pytest.mark.parametrize("request_of", [get, cancel, update])
@pytest.mark.parametrize(
    "task_id", ["", "ask.", f"submit.{SOME_ID}", f"ask.{SOME_ID}", f"ask.{SOME_ID}/../x", "ask.42"]
)
async def test_a_task_that_never_was_is_unknown(http: Open, request_of: Callable[[str], Any], task_id: str) -> None:
    async with http(extensions=[TakesTasks()]) as client:
        with pytest.raises(MCPError) as unknown:
            await client.session.send_request(request_of(task_id), EmptyResult)
    assert (unknown.value.code, unknown.value.message) == (INVALID_PARAMS, f"there is no task {task_id!r}")


async def test_another_tenants_task_is_unknown_and_goes_on(
    http: Open, service: str, make_tenant: Callable[[], Tenant]
) -> None:
    async with http() as client:
        job = structured(await client.call_tool("submit", {"prompt": "Mine."}))["job_id"]
        stranger = {"Authorization": f"Bearer {make_tenant().key}"}
        async with over_http(service, stranger, extensions=[TakesTasks()]) as other:
            for request in (get(f"ask.{job}"), cancel(f"ask.{job}")):
                with pytest.raises(MCPError, match="there is no task"):
                    await other.session.send_request(request, EmptyResult)
        assert structured(await client.call_tool("get_job", {"job_id": job}))["status"] == "queued"


async def test_an_older_client_is_offered_no_tasks(http: Open, answered: None, rows: Rows, tenant: Tenant) -> None:
    tasks = TakesTasks()
    async with http(extensions=[tasks], mode="legacy") as client:
        assert structured(await client.call_tool("ask", {"prompt": "Old?"}))["text"] == "Paris."
        with pytest.raises(MCPError) as refused:
            await client.session.send_request(get(f"ask.{uuid4()}"), EmptyResult)
    assert refused.value.code == METHOD_NOT_FOUND
    assert tasks.started == []
    assert rows.jobs(tenant.id) == 1


@pytest.mark.parametrize(
    ("tool", "behind"), [("ask", SOME_ID), ("wait_for_job", SOME_ID), ("run_batch", "batch_01aB-x")]
)
def test_a_task_id_is_read_as_it_was_written(tool: str, behind: str) -> None:
    ref = TaskRef(TaskTool(tool), behind)
    assert read_task_id(str(ref)) == ref


@pytest.mark.parametrize(
    "text", ["ask", "ask.batch_1", f"run_batch.{'a' * 129}", "run_batch.a/b", "run_batch.é", "x.1"]
)
def test_what_is_no_task_id_is_not_read(text: str) -> None:
    assert read_task_id(text) is None


class _Left(Exception):
    """The assistant went away."""


async def _leave(_: StartedTask) -> None:
    raise _Left
