"""What each tool does, over every transport and in both ages of the protocol."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx2
import psycopg
import pytest
from api.conftest import DEAD_PORT, Rows, Workers
from cli.live import losing
from conftest import Tenant
from mcp_server.conftest import Open, inside, over_http, refusal, structured

from aico.embedded.ports import LOOPBACK
from aico.mcp_server.server import INSTRUCTIONS

pytestmark = pytest.mark.anyio


async def test_a_question_is_answered_and_the_answer_says_how_it_came_about(door: Open, answered: None) -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with door() as client:
        result = await client.call_tool("ask", {"prompt": "What is the capital of France?"}, progress_callback=hear)
        again = structured(await client.call_tool("ask", {"prompt": "What is the capital of France?"}))
    answer = structured(result)
    assert answer["text"] == "Paris."
    assert (answer["provider"], answer["model"], answer["cache"]) == ("local", "smollm2-135m", "miss")
    assert (answer["cost_cents"], answer["saved_cents"], answer["baseline_model"]) == ("0.5", "1.5", "gpt-5.4")
    assert again["cache"] == "exact"
    assert heard
    assert f"job {answer['job_id']}: queued" in (heard[0][1] or "")
    assert [progress for progress, _ in heard] == sorted({progress for progress, _ in heard})


async def test_every_tool_says_what_it_does_and_what_it_changes(door: Open) -> None:
    async with door() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert client.instructions == INSTRUCTIONS
    assert tools.keys() == {
        *("ask", "submit", "wait_for_job", "get_job", "cancel_job"),
        *("run_batch", "cost_summary", "give_feedback"),
    }
    for tool in tools.values():
        assert tool.title
        assert tool.description
        assert tool.output_schema is not None
        assert tool.input_schema["type"] == "object"
        assert "ctx" not in tool.input_schema["properties"]
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is (tool.name in {"wait_for_job", "get_job", "cost_summary"})
    hints = {name: tool.annotations for name, tool in tools.items() if tool.annotations}
    assert [name for name, hint in hints.items() if hint.destructive_hint] == ["cancel_job"]
    assert {name for name, hint in hints.items() if hint.idempotent_hint} == {"cancel_job", "give_feedback"}
    assert {name for name, hint in hints.items() if hint.open_world_hint} == {"ask", "submit", "run_batch"}


async def test_a_job_is_submitted_read_awaited_and_judged(
    http: Open, workers: Workers, tenant: Tenant, rows: Rows
) -> None:
    async with http() as client:
        fields = {"prompt": "What?", "metadata": {"team": "a"}, "completion_window": "2h", "job_class": "batch"}
        waiting = structured(await client.call_tool("submit", fields))
        job = waiting["job_id"]
        assert (waiting["status"], waiting["ended"], waiting["answer"]) == ("queued", False, None)
        assert (waiting["job_class"], waiting["metadata"]) == ("batch", {"team": "a"})
        late = structured(await client.call_tool("wait_for_job", {"job_id": job, "timeout_seconds": 0.01}))
        assert late == waiting
        workers.end(tenant.id, UUID(job))
        ended = structured(await client.call_tool("wait_for_job", {"job_id": job}))
        assert (ended["status"], ended["ended"], ended["answer"]["text"]) == ("completed", True, "Paris.")
        assert structured(await client.call_tool("get_job", {"job_id": job})) == ended
        judged = structured(await client.call_tool("give_feedback", {"job_id": job, "score": 0.5, "comment": "Well."}))
    assert (judged["job_id"], judged["score"], judged["comment"]) == (job, 0.5, "Well.")
    assert rows.jobs(tenant.id) == 1


async def test_a_job_is_cancelled_and_stays_so(http: Open, workers: Workers, tenant: Tenant) -> None:
    async with http() as client:
        job = structured(await client.call_tool("submit", {"prompt": "Never mind."}))["job_id"]
        for _ in range(2):
            state = structured(await client.call_tool("cancel_job", {"job_id": job}))
            assert (state["status"], state["ended"], state["answer"]) == ("cancelled", True, None)
        done = structured(await client.call_tool("submit", {"prompt": "Too late."}))["job_id"]
        workers.end(tenant.id, UUID(done))
        assert structured(await client.call_tool("cancel_job", {"job_id": done}))["status"] == "completed"


async def test_a_question_that_fails_says_why_and_what_to_do(http: Open, workers: Workers, tenant: Tenant) -> None:
    async with http() as client:
        job = structured(await client.call_tool("submit", {"prompt": "Fail."}))["job_id"]
        workers.fail(tenant.id, UUID(job))
        state = structured(await client.call_tool("get_job", {"job_id": job}))
        assert (state["status"], state["answer"], state["error"]) == ("failed", None, "the job is failed")
        judged = refusal(await client.call_tool("give_feedback", {"job_id": job, "thumb": "up"}))
    assert "no answer that could be judged (conflict)" in judged


async def test_what_is_asked_arrives_as_it_is(http: Open, admin: psycopg.Connection[Any]) -> None:
    """Text that looks like JSON too, which assistants' servers like to parse."""
    texts = {"prompt": '{"a": [1]}', "system": "true"}
    async with http() as client:
        job = structured(
            await client.call_tool("submit", {**texts, "max_tokens": 7, "temperature": 0.5, "cache": "exact"})
        )
    row = admin.execute("select request, cache_mode, class from public.jobs where id = %s", (job["job_id"],)).fetchone()
    assert row is not None
    request, cache, job_class = row
    assert [turn["content"] for turn in request["messages"]] == ["true", '{"a": [1]}']
    assert (request["max_tokens"], request["temperature"], cache, job_class) == (7, 0.5, "exact", "standard")


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("ask", {}, "prompt"),
        ("ask", {"prompt": ""}, "prompt"),
        ("ask", {"prompt": " "}, "prompt: must not be empty (invalid_input). Correct the arguments"),
        ("ask", {"prompt": "x", "model": "gpt-0"}, "gpt-0"),
        ("ask", {"prompt": "x", "cache": "sometimes"}, "cache"),
        ("ask", {"prompt": "x" * 200_001}, "(payload_too_large)"),
        ("ask", {"prompt": "x", "quality_floor": 0.99}, "quality"),
        ("ask", {"prompt": "x", "max_cost_cents": 1e-12}, "(budget_exceeded)"),
        ("submit", {"prompt": "x", "completion_window": "soon"}, "completion_window"),
        ("get_job", {"job_id": "42"}, "job_id"),
        ("get_job", {"job_id": str(uuid4())}, "there is no job"),
        ("cancel_job", {"job_id": str(uuid4())}, "Use an id that one of these tools returned"),
        ("wait_for_job", {"job_id": str(uuid4())}, "(not_found)"),
        ("give_feedback", {"job_id": str(uuid4())}, "give either `thumb` or `score`"),
        ("give_feedback", {"job_id": str(uuid4()), "score": 2}, "score"),
        ("cost_summary", {"days": 0}, "days"),
        ("run_batch", {"requests": []}, "requests"),
        ("run_batch", {"requests": [{"custom_id": "a"}]}, "give either `prompt` or `messages`"),
        ("run_batch", {"requests": [{"custom_id": "a", "prompt": "x"}] * 2}, "'a' stands there twice"),
        ("run_batch", {"requests": ["x"], "completion_window": ""}, "completion_window"),
    ],
)
async def test_a_call_that_cannot_succeed_says_what_to_correct(
    http: Open, tenant: Tenant, rows: Rows, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    async with http() as client:
        assert reason in refusal(await client.call_tool(tool, arguments))
    assert rows.jobs(tenant.id) == 0


async def test_work_goes_on_when_whoever_asked_breaks_off(
    door: Open, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    with anyio.CancelScope() as asking:

        async def stop(progress: float, total: float | None, message: str | None) -> None:
            asking.cancel()

        async with door() as client:
            await client.call_tool("ask", {"prompt": "A long story."}, progress_callback=stop)
    assert asking.cancelled_caught
    statuses = admin.execute("select status from public.jobs where tenant_id = %s", (tenant.id,)).fetchall()
    assert statuses == [("queued",)]


async def test_another_tenants_job_is_unknown(
    http: Open, service: str, make_tenant: Callable[[], Tenant], workers: Workers, tenant: Tenant
) -> None:
    async with http() as client:
        job = structured(await client.call_tool("submit", {"prompt": "Mine."}))["job_id"]
    workers.end(tenant.id, UUID(job))
    async with over_http(service, {"Authorization": f"Bearer {make_tenant().key}"}) as stranger:
        for tool in ("get_job", "wait_for_job", "cancel_job", "give_feedback"):
            arguments = {"job_id": job, **({"thumb": "up"} if tool == "give_feedback" else {})}
            assert f"there is no job {job}" in refusal(await stranger.call_tool(tool, arguments))


async def test_the_costs_are_those_of_the_api(http: Open, service: str, tenant: Tenant, answered: None) -> None:
    async with http() as client:
        structured(await client.call_tool("ask", {"prompt": "What does it cost?"}))
        told = structured(await client.call_tool("cost_summary", {"days": 2}))
    headers = {"Authorization": f"Bearer {tenant.key}"}
    summary = httpx2.get(f"{service}/costs/summary", params={"days": 2}, headers=headers).json()
    assert told["cost_cents"] == summary["cost_cents"]
    assert told["saved_cents"] == summary["saved_cents"]
    assert (told["since"][:10], told["pending_events"]) == (summary["since"][:10], summary["pending_events"])


async def test_a_submit_whose_answer_is_lost_is_sent_again_and_makes_one_job(
    service: str, tenant: Tenant, rows: Rows
) -> None:
    with losing(service) as network:
        network.losses = 2
        async with inside(network.url, tenant.key) as client:
            state = structured(await client.call_tool("submit", {"prompt": "Once."}))
    assert state["status"] == "queued"
    assert len(network.keys) == 3
    assert len(set(network.keys)) == 1
    assert rows.jobs(tenant.id) == 1


async def test_without_an_api_the_assistant_reads_how_to_get_one(tenant: Tenant) -> None:
    async with inside(f"http://{LOOPBACK}:{DEAD_PORT}", tenant.key, patience_seconds=0.2) as client:
        told = refusal(await client.call_tool("ask", {"prompt": "Anybody?"}))
    assert "no API answers" in told
    assert "COST_OPTIMIZER_API_URL" in told


async def test_a_key_that_does_not_open_says_who_has_to_act(service: str) -> None:
    async with inside(service, "aico_live_wrong") as client:
        told = refusal(await client.call_tool("ask", {"prompt": "May I?"}))
    assert "the API key is not valid (unauthorized). Whoever set this server up" in told
    assert "aico_live_wrong" not in told
