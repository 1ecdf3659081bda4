"""Streams of jobs that follow another one, as OpenAI's own client reads them. Tests play the worker."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx2
import openai
import pytest
import redis
from api.conftest import Connect, wait_until
from api.talking import StreamingWorker, client, raw_events, working
from conftest import Tenant
from openai import OpenAI

from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.store import claims, flights
from aico.store.blocking import Database
from aico.store.claims import Claim
from aico.store.scope import Scope
from aico.workers.route import tell_followers
from aico.workers.runtime import Runtime

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]


class Pair:
    """A job that leads, and one that asks the same as a stream."""

    def __init__(self, worker: StreamingWorker, runtime: Runtime, asking: OpenAI) -> None:
        self.worker, self._runtime, self._asking = worker, runtime, asking
        self._tenant = worker.tenant

    def submit(self, *, streams: bool = True) -> Claim:
        """Who leads: nobody reads its answer."""
        response = self._asking.with_options(max_retries=0).post(
            "/jobs",
            cast_to=httpx2.Response,
            body={"messages": QUESTION, "cache": "exact", "stream": streams},
        )
        assert response.is_success
        return self.worker.claim(self.worker.newest())

    def read(self) -> Iterator[Any]:
        return iter(
            self._asking.chat.completions.create(
                model="auto", messages=QUESTION, stream=True, extra_body={"aico": {"cache": "exact"}}
            )
        )

    def follow(self, led: Claim) -> None:
        """What a route worker does to the job that is being read."""
        job = self.claimed(led)
        tell_followers(self._runtime, self._tenant, flights.joined(self._tenant, job))
        wait_until(lambda: self.worker.listened(led.id))

    def claimed(self, led: Claim) -> UUID:
        """The job that is being read, which follows from now on."""
        wait_until(lambda: self.worker.newest() != led.id)
        job = self.worker.newest()
        wait_until(lambda: self.worker.listened(job))
        assert self._runtime.database.run(self._scope, claims.claim(self._tenant, job, 30)) == []
        return job

    def begin_anew(self, led: Claim) -> Claim:
        """The leader's worker dies, and another one takes it over."""
        self.worker.abandon(led)
        again = self.worker.claim(led.id)
        assert again.flew
        tell_followers(self._runtime, self._tenant, flights.begin_anew(self._tenant, again.id, again.fence))
        return again

    @property
    def _scope(self) -> Scope:
        return Scope.tenant(self._tenant)


@pytest.fixture
def pair(base_settings: Settings, database: Database, broker: redis.Redis, service: str, tenant: Tenant) -> Pair:
    worker = StreamingWorker(database, broker, tenant.id)
    return Pair(worker, Runtime(base_settings, database, broker), client(service, tenant.key))


def said_in(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_who_follows_hears_the_leaders_pieces_as_they_come(pair: Pair) -> None:
    led = pair.submit()
    pair.worker.say(led, 0, "The capital ")
    with working(lambda: pair.follow(led)):
        stream = pair.read()
        chunks = [next(stream), next(stream)]
    assert said_in(chunks) == "The capital "  # what had been said before it followed
    pair.worker.say(led, 12, "is Paris")
    chunks.append(next(stream))
    assert said_in(chunks) == "The capital is Paris"
    pair.worker.end(led, "The capital is Paris.")
    chunks += stream
    assert said_in(chunks) == "The capital is Paris."
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_leader_that_does_not_stream_is_heard_in_the_end(pair: Pair) -> None:
    led = pair.submit(streams=False)

    def work() -> None:
        pair.claimed(led)
        pair.worker.end(led, "Paris.")

    with working(work):
        assert said_in(list(pair.read())) == "Paris."


@pytest.mark.parametrize("second", ["The capital is Paris.", "Paris is it."], ids=["alike", "otherwise"])
def test_a_leader_that_begins_anew_is_followed_anew(pair: Pair, second: str) -> None:
    led = pair.submit()
    pair.worker.say(led, 0, "The capital ")

    def work() -> None:
        pair.follow(led)
        again = pair.begin_anew(led)
        pair.worker.say(again, 0, second[:6])
        pair.worker.end(again, second)

    with working(work):
        if second.startswith("The capital "):
            assert said_in(list(pair.read())) == second
        else:
            with pytest.raises(openai.APIError, match="begun anew"):
                list(pair.read())


def test_who_comes_later_hears_all_of_what_it_follows(
    pair: Pair, connect: Connect, service: str, tenant: Tenant
) -> None:
    led = pair.submit()
    pair.worker.say(led, 0, "The capital ")
    http = connect(service, tenant.key)
    job = http.post("/v1/jobs", json={"messages": QUESTION, "cache": "exact", "stream": True}).json()["id"]
    scope = Scope.tenant(tenant.id)
    assert pair.worker.database.run(scope, claims.claim(tenant.id, pair.worker.newest(), 30)) == []

    def work() -> None:
        wait_until(lambda: pair.worker.listened(led.id))
        pair.worker.say(led, 12, "is Paris")
        pair.worker.end(led, "The capital is Paris.")

    with working(work):
        events = raw_events(http, f"/v1/jobs/{job}/events")
    texts = [json.loads(event["data"])["text"] for event in events if event.get("event") == "text"]
    assert "".join(texts) == "The capital is Paris."
    assert "restarted" not in {event.get("event") for event in events}


def test_another_tenants_stream_cannot_be_joined(
    pair: Pair, make_tenant: Callable[[], Tenant], database: Database
) -> None:
    led = pair.submit()
    other = make_tenant()
    assert database.run(Scope.tenant(other.id), flights.joined(other.id, led.id)) == []
    assert database.run(Scope.tenant(other.id), flights.begin_anew(other.id, led.id, led.fence)) == []
    assert database.run(Scope.tenant(other.id), flights.hand_over(other.id, new_id())) == []
