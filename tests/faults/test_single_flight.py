"""Many ask the same at once, of a product with two route workers: one call, whatever happens to it."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import psutil
import pytest
import redis
from acceptance.conftest import PARTS
from conftest import Tenant
from faults.provider import SWIFT, Behaviour, answer_to
from faults.world import World, wait_until, world
from openai import OpenAI

from aico.cli.client import Client, Json
from aico.workers.health import slots

pytestmark = pytest.mark.timeout(240)
MANY = 200
THREADS = 8
TRIES = 3  # of a call that fails, by one worker
SETTINGS = {
    "ROUTE_CONCURRENCY": str(THREADS),
    "LEASE_SECONDS": "3",
    "RETRY_BASE_SECONDS": "0.05",
    "STOP_GRACE_SECONDS": "2",
    "HOLDOUT_SHARE": "0",
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A product whose calls are answered by two route workers."""
    with world(tmp_path_factory.mktemp("busy") / "world", SETTINGS) as there, second_worker(there):
        yield there


@contextmanager
def second_worker(there: World) -> Iterator[None]:
    argv = [sys.executable, "-m", "aico.cli.main", "worker", "route"]
    with (there.running.state_dir / "second.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, **there.environment})
    try:
        with redis.Redis.from_url(there.running.redis_url, decode_responses=True) as broker:
            wait_until(lambda: slots(broker, "route") == 2 * THREADS, "two route workers")
        yield
    finally:
        process.kill()
        process.wait()


_numbers = iter(range(1_000_000, 2_000_000))


@pytest.fixture
def number(busy: World) -> int:
    """Of a question that nobody has asked."""
    busy.provider.behave(Behaviour.ANSWER)
    busy.provider.held = frozenset()
    return next(_numbers)


@pytest.fixture
def tenant(busy: World) -> Tenant:
    return busy.tenant("flight")


def question(number: int) -> str:
    return f"What is #{number} about?"


def body(number: int, **fields: Any) -> Json:
    return {"prompt": question(number), "model": SWIFT, "cache": "exact", **fields}


def submit(client: Client, number: int, count: int, **fields: Any) -> list[UUID]:
    return [UUID(client.submit(body(number, **fields))["id"]) for _ in range(count)]


def states(there: World, tenant: Tenant) -> dict[tuple[str, str], int]:
    rows = there.ask("select status, stage, count(*) from jobs where tenant_id = %s group by 1, 2", [tenant.id])
    return {(row["status"], row["stage"]): row["count"] for row in rows}


def following(there: World, tenant: Tenant) -> int:
    return states(there, tenant).get(("in_progress", "follow"), 0)


def wait_for_end(there: World, tenant: Tenant) -> None:
    wait_until(lambda: not {status for status, _ in states(there, tenant)} & {"queued", "in_progress"}, "all ends")


def ledger(there: World, tenant: Tenant, attempts: int) -> list[dict[str, Any]]:
    query = "select * from ledger_attempts where tenant_id = %s"
    wait_until(lambda: len(there.ask(query, [tenant.id])) == attempts, "the ledger")
    return there.ask(query, [tenant.id])


def answers(there: World, tenant: Tenant) -> list[dict[str, Any]]:
    return there.ask("select id, status, answer, routing from jobs where tenant_id = %s order by id", [tenant.id])


def leader(there: World, tenant: Tenant) -> UUID:
    (row,) = there.ask(
        "select id from jobs where tenant_id = %s and status = 'in_progress' and stage = 'route'", [tenant.id]
    )
    found: UUID = row["id"]
    return found


def held_call(there: World, tenant: Tenant, number: int, followers: int, **fields: Any) -> list[UUID]:
    """Jobs that ask the same, of which one's call hangs while the others follow it."""
    there.provider.held = frozenset({number})
    with there.client(tenant) as client:
        asked = submit(client, number, followers + 1, **fields)
    wait_until(lambda: following(there, tenant) == followers, "followers")
    wait_until(lambda: bool(known_call(there, tenant)), "a noted call")
    return asked


def known_call(there: World, tenant: Tenant) -> list[dict[str, Any]]:
    return there.ask("select id from jobs where tenant_id = %s and calling is not null", [tenant.id])


def test_two_hundred_who_ask_the_same_at_once_make_one_call(busy: World, tenant: Tenant, number: int) -> None:
    ready = threading.Barrier(20)

    def ask() -> list[Json]:
        with busy.client(tenant) as client:
            ready.wait()
            return [client.request("POST", "/v1/chat", json=body(number)) for _ in range(MANY // 20)]

    with ThreadPoolExecutor(20) as pool:
        several: list[Future[list[Json]]] = [pool.submit(ask) for _ in range(20)]
        told = [job for one in several for job in one.result()]
    assert busy.provider.times_called()[number] == 1
    assert {job["answer"]["text"] for job in told} == {answer_to(number)}
    assert len({job["id"] for job in told}) == MANY
    rows = ledger(busy, tenant, MANY)
    (call,) = [row for row in rows if row["kind"] == "call"]
    assert call["cost_cents"] > 0
    assert sum(Decimal(job["routing"]["cost_cents"]) for job in told) == call["cost_cents"]
    assert sum(row["cost_cents"] for row in rows) == call["cost_cents"]
    assert sum(row["shared_cents"] or 0 for row in rows) == 0
    assert sum(row["input_uncached"] + row["output"] for row in rows) == 28


def test_all_who_wait_for_one_call_have_its_answer_and_a_share_of_it(busy: World, tenant: Tenant, number: int) -> None:
    asked = held_call(busy, tenant, number, MANY - 1)
    busy.provider.held = frozenset()
    wait_for_end(busy, tenant)
    assert busy.provider.times_called()[number] == 1
    found = answers(busy, tenant)
    assert [row["id"] for row in found] == sorted(asked)
    assert {row["answer"]["text"] for row in found} == {answer_to(number)}
    caches = [row["routing"]["cache"] for row in found]
    assert (caches.count("miss"), caches.count("shared")) == (1, MANY - 1)
    (call,) = [row for row in ledger(busy, tenant, MANY) if row["kind"] == "call"]
    assert sum(Decimal(row["routing"]["cost_cents"]) for row in found) == call["cost_cents"]


def test_who_follows_takes_no_thread_from_other_work(busy: World, tenant: Tenant, number: int) -> None:
    """More wait for one call than both workers have threads, and another question is answered meanwhile."""
    held_call(busy, tenant, number, MANY - 1)
    other = next(_numbers)
    with busy.client(tenant) as client:
        assert client.request("POST", "/v1/chat", json=body(other))["status"] == "completed"
    assert following(busy, tenant) == MANY - 1
    busy.provider.held = frozenset()
    wait_for_end(busy, tenant)


def test_a_leader_that_is_killed_midway_costs_one_more_call_at_most(busy: World, tenant: Tenant, number: int) -> None:
    held_call(busy, tenant, number, 30)
    for worker in route_workers():
        worker.kill()
    busy.provider.held = frozenset()
    with second_worker(busy):
        wait_for_end(busy, tenant)
    assert {row["answer"]["text"] for row in answers(busy, tenant)} == {answer_to(number)}
    assert busy.provider.times_called()[number] <= 2


def route_workers() -> list[psutil.Process]:
    own = psutil.Process().children(recursive=True)
    return [one for one in own if PARTS["route"] in " ".join(one.cmdline())]


def test_where_the_leaders_call_fails_the_next_one_leads(busy: World, tenant: Tenant, number: int) -> None:
    held_call(busy, tenant, number, 5, max_retries=0, fallback=False)
    busy.provider.spoiled[number] = TRIES
    busy.provider.held = frozenset()
    wait_for_end(busy, tenant)
    assert Counter(row["status"] for row in answers(busy, tenant)) == {"failed": 1, "completed": 5}
    assert busy.provider.times_called()[number] == TRIES + 1


def test_who_cancels_the_leader_cancels_it_for_himself(busy: World, tenant: Tenant, number: int) -> None:
    asked = held_call(busy, tenant, number, 4)
    first = leader(busy, tenant)
    with busy.client(tenant) as client:
        client.request("POST", f"/v1/jobs/{first}/cancel")
        wait_until(lambda: busy.provider.times_called()[number] == 2, "the next leader's call")
        follower = next(job for job in asked if job not in {first, leader(busy, tenant)})
        client.request("POST", f"/v1/jobs/{follower}/cancel")
    busy.provider.held = frozenset()
    wait_for_end(busy, tenant)
    ends = {row["id"]: row["status"] for row in answers(busy, tenant)}
    assert {job for job, status in ends.items() if status == "cancelled"} == {first, follower}
    assert list(ends.values()).count("completed") == 3
    assert busy.provider.times_called()[number] == 2


def test_two_tenants_that_ask_the_same_make_two_calls(busy: World, tenant: Tenant, number: int) -> None:
    other = busy.tenant("another")
    held_call(busy, tenant, number, 3)
    held_call(busy, other, number, 3)
    assert busy.provider.times_called()[number] == 2
    busy.provider.held = frozenset()
    for one in (tenant, other):
        wait_for_end(busy, one)
        own = {row["id"] for row in answers(busy, one)}
        served = busy.ask("select served_from from jobs where tenant_id = %s and served_from is not null", [one.id])
        assert {row["served_from"] for row in served} <= own
        assert len(served) == 3


def test_a_batch_of_a_hundred_equal_lines_makes_one_call(busy: World, tenant: Tenant, number: int) -> None:
    client = openai_of(busy, tenant)
    asked = {"model": SWIFT, "messages": [{"role": "user", "content": question(number)}]}
    lines = [
        json.dumps({"custom_id": str(line), "method": "POST", "url": "/v1/chat/completions", "body": asked})
        for line in range(100)
    ]
    file = client.files.create(file=("lines.jsonl", "\n".join(lines).encode()), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    wait_until(lambda: client.batches.retrieve(batch.id).status == "completed", "the batch")
    ended = client.batches.retrieve(batch.id)
    assert ended.request_counts is not None
    assert (ended.request_counts.completed, ended.request_counts.failed) == (100, 0)
    assert busy.provider.times_called()[number] == 1
    assert ended.output_file_id is not None
    written = [json.loads(line) for line in client.files.content(ended.output_file_id).text.splitlines()]
    assert {line["custom_id"] for line in written} == set(map(str, range(100)))
    texts = {line["response"]["body"]["choices"][0]["message"]["content"] for line in written}
    assert texts == {answer_to(number)}


def openai_of(there: World, tenant: Tenant) -> OpenAI:
    return OpenAI(base_url=f"{there.running.url}/v1", api_key=tenant.key, max_retries=0, timeout=60)


def test_streams_and_whole_answers_share_a_call(busy: World, tenant: Tenant, number: int) -> None:
    """The leader's answer comes whole: who follows as a stream is told it in one go."""
    held_call(busy, tenant, number, 1)
    asking = openai_of(busy, tenant)
    with ThreadPoolExecutor(1) as pool:

        def stream() -> str:
            chunks = asking.chat.completions.create(
                model=SWIFT,
                messages=[{"role": "user", "content": question(number)}],
                stream=True,
                extra_body={"aico": {"cache": "exact"}},
            )
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

        said = pool.submit(stream)
        wait_until(lambda: following(busy, tenant) == 2, "the stream")
        busy.provider.held = frozenset()
        assert said.result() == answer_to(number)
    assert busy.provider.times_called()[number] == 1
