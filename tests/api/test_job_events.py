"""A job's events: what a browser's EventSource reads, and goes on reading after a break."""

import json
from itertools import groupby
from uuid import UUID, uuid4

import httpx2
import pytest
import redis
from api.conftest import assert_problem, wait_until
from api.talking import StreamingWorker, parse_events, raw_events, working
from conftest import Tenant

from aico.store.blocking import Database

STREAMED = {"prompt": "What is the capital of France?", "stream": True}


@pytest.fixture
def worker(database: Database, broker: redis.Redis, tenant: Tenant) -> StreamingWorker:
    return StreamingWorker(database, broker, tenant.id)


def submitted(api: httpx2.Client) -> UUID:
    return UUID(api.post("/v1/jobs", json=STREAMED).json()["id"])


def answer(worker: StreamingWorker, job: UUID) -> None:
    wait_until(lambda: worker.listened(job))
    held = worker.claim(job)
    worker.say(held, 0, "")
    worker.say(held, 0, "The capital ")
    worker.say(held, 12, "is Paris")
    worker.end(held, "The capital is Paris.")


def text(events: list[dict[str, str]]) -> str:
    return "".join(json.loads(event["data"])["text"] for event in events if event["event"] == "text")


def test_a_job_is_followed_from_the_queue_to_its_answer(api: httpx2.Client, worker: StreamingWorker) -> None:
    job = submitted(api)
    with working(lambda: answer(worker, job)):
        events = raw_events(api, f"/v1/jobs/{job}/events")
    names = [event["event"] for event in events]
    began = names.index("text")
    statuses = [json.loads(event["data"])["status"] for event in events[:began]]
    assert [status for status, _ in groupby(statuses)] == ["queued", "in_progress"]
    assert names[began:] == ["text", "text", "text", "job"]
    assert json.loads(events[began]["data"]) == {"start": 0, "text": "The capital "}
    assert text(events) == "The capital is Paris."
    ended = json.loads(events[-1]["data"])
    assert ended == api.get(f"/v1/jobs/{job}").json()


def test_a_hit_is_replayed_as_a_stream_with_the_provenance_of_the_answer(
    api: httpx2.Client, worker: StreamingWorker
) -> None:
    first = submitted(api)
    with working(lambda: answer(worker, first)):
        raw_events(api, f"/v1/jobs/{first}/events")
    events = raw_events(api, f"/v1/jobs/{submitted(api)}/events")
    assert text(events) == "The capital is Paris."
    paid, hit = api.get(f"/v1/jobs/{first}").json()["routing"], json.loads(events[-1]["data"])["routing"]
    assert (hit["cache"], hit["cost_cents"], hit["attempts"]) == ("exact", "0", 0)
    same = paid.keys() - {"cache", "cost_cents", "attempts"}
    assert {name: hit[name] for name in same} == {name: paid[name] for name in same}


def test_reading_goes_on_after_any_event(api: httpx2.Client, worker: StreamingWorker) -> None:
    job = submitted(api)
    with working(lambda: answer(worker, job)):
        events = raw_events(api, f"/v1/jobs/{job}/events")
    seen = ""
    for event in events:
        if "id" not in event:
            continue
        seen += json.loads(event["data"])["text"] if event["event"] == "text" else ""
        rest = raw_events(api, f"/v1/jobs/{job}/events", after=event["id"])
        assert seen + text(rest) == "The capital is Paris."
        assert rest[-1]["event"] == "job"
        again = api.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": event["id"]})
        assert parse_events(again.text) == rest


def test_a_text_that_is_begun_anew_is_announced(api: httpx2.Client, worker: StreamingWorker) -> None:
    job = submitted(api)

    def work() -> None:
        wait_until(lambda: worker.listened(job))
        first = worker.claim(job)
        worker.say(first, 0, "The capital ")
        worker.abandon(first)
        second = worker.claim(job)
        worker.say(second, 0, "Paris")
        worker.end(second, "Paris.")

    with working(work):
        events = raw_events(api, f"/v1/jobs/{job}/events")
    names = [event["event"] for event in events]
    restart = names.index("restarted")
    assert text(events[:restart]) == "The capital "
    assert text(events[restart:]) == "Paris."
    late = raw_events(api, f"/v1/jobs/{job}/events", after=events[restart - 1]["id"])
    assert [event["event"] for event in late] == ["restarted", "text", "job"]
    assert text(late) == "Paris."


def test_a_job_that_has_ended_tells_all_at_once(api: httpx2.Client, worker: StreamingWorker) -> None:
    job = UUID(api.post("/v1/jobs", json={"prompt": "x"}).json()["id"])
    worker.end(worker.claim(job), "Done.")
    events = raw_events(api, f"/v1/jobs/{job}/events")
    assert [event["event"] for event in events] == ["text", "job"]


def test_a_job_that_fails_ends_its_events(api: httpx2.Client, worker: StreamingWorker) -> None:
    job = submitted(api)
    worker.fail(worker.claim(job), "no_provider")
    events = raw_events(api, f"/v1/jobs/{job}/events")
    assert [event["event"] for event in events] == ["job"]
    assert json.loads(events[0]["data"])["error"]["code"] == "no_provider"


def test_a_job_of_nobody_or_another_tenant_has_no_events(api: httpx2.Client) -> None:
    assert_problem(api.get(f"/v1/jobs/{uuid4()}/events"), 404, "not_found")
    assert_problem(api.get("/v1/jobs/nothing/events"), 422)
    job = submitted(api)
    assert_problem(api.get(f"/v1/jobs/{job}/events", params={"after": -1}), 422)
