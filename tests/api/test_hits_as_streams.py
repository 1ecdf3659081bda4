"""A kept answer that is found by meaning is replayed at every door that streams, under its own provenance."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
import redis
from api.conftest import wait_until
from api.talking import StreamingWorker, client, raw_events, working
from builders import completed
from conftest import Tenant
from openai import OpenAI

from aico.core.jobs import CacheState
from aico.store import cache_entries
from aico.store.blocking import Database
from aico.store.scope import Scope

TEXT = "The capital is Paris."


@pytest.fixture
def worker(database: Database, broker: redis.Redis, tenant: Tenant) -> StreamingWorker:
    return StreamingWorker(database, broker, tenant.id)


@pytest.fixture
def asking(able_service: str, tenant: Tenant) -> Iterator[OpenAI]:
    with client(able_service, tenant.key) as opened:
        yield opened


def serve(worker: StreamingWorker) -> None:
    """As the embed worker does: a copy of the one answer that is kept ends the job before anybody takes it on."""
    job = worker.newest()
    wait_until(lambda: worker.listened(job))
    page = cache_entries.page(worker.tenant, limit=1)
    (entry,) = worker.database.run(Scope.tenant(worker.tenant), page)
    served = {"cache": CacheState.SEMANTIC, "similarity": 0.97, "cost_cents": "0", "attempts": 0}
    ending = replace(
        completed(job, 0, text=TEXT, keep=False), entry=entry.id, routing=entry.routing.model_copy(update=served)
    )
    worker.finish(ending)


def by_chat(asking: OpenAI, question: str) -> tuple[str, dict[str, Any]]:
    chunks = list(
        asking.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": question}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return said, (chunks[-1].model_extra or {})["aico"]


def by_responses(asking: OpenAI, question: str) -> tuple[str, dict[str, Any]]:
    events: list[Any] = list(asking.responses.create(model="auto", input=question, stream=True))
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    return said, events[-1].response.model_extra["aico"]


def by_job(asking: OpenAI, question: str) -> tuple[str, dict[str, Any]]:
    root = str(asking.base_url).removesuffix("/v1/")
    headers = {"Authorization": f"Bearer {asking.api_key}"}
    with httpx2.Client(base_url=root, headers=headers, timeout=20) as api:
        job = api.post("/v1/jobs", json={"prompt": question, "stream": True}).json()["id"]
        events = raw_events(api, f"/v1/jobs/{job}/events")
    said = "".join(json.loads(event["data"])["text"] for event in events if event["event"] == "text")
    return said, json.loads(events[-1]["data"])["routing"]


Door = Callable[[OpenAI, str], tuple[str, dict[str, Any]]]


@pytest.mark.parametrize("door", [by_chat, by_responses, by_job])
def test_a_hit_by_meaning_is_replayed_as_a_stream(asking: OpenAI, worker: StreamingWorker, door: Door) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), TEXT)):
        _, paid = door(asking, "What is the capital of France?")
    with working(lambda: serve(worker)):
        said, hit = door(asking, "Tell me the capital of France.")
    assert said == TEXT
    assert (paid["cache"], hit["cache"], hit["similarity"], hit["cost_cents"]) == ("miss", "semantic", 0.97, "0")
    assert [hit[name] for name in ("provider", "model")] == [paid[name] for name in ("provider", "model")]


@pytest.mark.parametrize("door", [by_chat, by_responses, by_job])
def test_an_exact_hit_is_replayed_as_a_stream(asking: OpenAI, worker: StreamingWorker, door: Door) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), TEXT)):
        _, paid = door(asking, "What is the capital of France?")
    said, hit = door(asking, "What is the capital of France?")
    assert (said, hit["cache"], hit["cost_cents"]) == (TEXT, "exact", "0")
    assert [hit[name] for name in ("provider", "model")] == [paid[name] for name in ("provider", "model")]
