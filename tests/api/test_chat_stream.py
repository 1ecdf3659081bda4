"""Streams of chat completions, as OpenAI's own client reads them. Tests play the worker."""

from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
import redis
from api.conftest import Connect, serving, wait_until
from api.talking import StreamingWorker, client, parse_events, raw_events, working
from conftest import Tenant
from openai import OpenAI

from aico.api import relay
from aico.core.chat import Choice, FinishReason, ToolCall
from aico.core.settings import Settings
from aico.store import jobs
from aico.store.blocking import Database
from aico.store.claims import Claim
from aico.store.scope import Scope

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
BODY = {"model": "auto", "messages": QUESTION, "stream": True}
PATH = "/v1/chat/completions"


@pytest.fixture
def worker(database: Database, broker: redis.Redis, tenant: Tenant) -> StreamingWorker:
    return StreamingWorker(database, broker, tenant.id)


@pytest.fixture
def asking(service: str, tenant: Tenant) -> OpenAI:
    return client(service, tenant.key)


def answer_in_pieces(worker: StreamingWorker) -> Claim:
    job = worker.newest()
    wait_until(lambda: worker.listened(job))
    held = worker.claim(job)
    worker.say(held, 0, "The capital ")
    worker.say(held, 12, "is Paris")
    worker.end(held, "The capital is Paris.")
    return held


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_pieces_come_as_they_are_said_and_add_up_to_the_answer(asking: OpenAI, worker: StreamingWorker) -> None:
    said: list[Claim] = []

    def work() -> None:
        job = worker.newest()
        wait_until(lambda: worker.listened(job))
        said.append(worker.claim(job))
        worker.say(said[0], 0, "The capital ")

    with working(work):
        stream = iter(asking.chat.completions.create(model="auto", messages=QUESTION, stream=True))
        chunks = [next(stream), next(stream)]
    assert text_of(chunks) == "The capital "  # the job has not ended yet
    worker.say(said[0], 12, "is Paris")
    chunks.append(next(stream))
    worker.end(said[0], "The capital is Paris.")
    chunks += stream
    assert text_of(chunks) == "The capital is Paris."
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert {chunk.created for chunk in chunks} == {chunks[0].created}
    assert chunks[-1].model == "smollm2-135m"
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_and_provenance_come_last_where_they_are_asked_for(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer_in_pieces(worker)):
        chunks = list(
            asking.chat.completions.create(
                model="auto", messages=QUESTION, stream=True, stream_options={"include_usage": True}
            )
        )
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 8
    assert chunks[-1].model_extra is not None
    assert chunks[-1].model_extra["aico"]["cost_cents"] == "0.5"


def test_a_hit_is_replayed_as_a_stream(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), "Paris.")):
        asking.chat.completions.create(model="auto", messages=QUESTION)
    raw = asking.chat.completions.with_raw_response.create(model="auto", messages=QUESTION, stream=True)
    assert raw.headers["x-aico-cache"] == "exact"
    assert text_of(list(raw.parse())) == "Paris."


def test_tool_calls_and_further_choices_come_at_the_end(asking: OpenAI, worker: StreamingWorker) -> None:
    call = ToolCall(id="call_9", name="weather", arguments="{}")
    more = (Choice(text="Or not.", finish_reason=FinishReason.LENGTH),)

    def work() -> None:
        held = worker.claim(worker.newest())
        worker.end(held, "Let me see.", tool_calls=(call,), finish_reason=FinishReason.TOOL_CALLS, more=more)

    with working(work):
        chunks = list(asking.chat.completions.create(model="auto", messages=QUESTION, stream=True))
    calls = [called for chunk in chunks for called in chunk.choices[0].delta.tool_calls or ()]
    assert [(one.index, one.id, one.function and one.function.name) for one in calls] == [(0, "call_9", "weather")]
    finishes = [
        (chunk.choices[0].index, chunk.choices[0].finish_reason) for chunk in chunks if chunk.choices[0].finish_reason
    ]
    assert finishes == [(0, "tool_calls"), (1, "length")]


def test_what_redis_lost_is_made_up_for(asking: OpenAI, worker: StreamingWorker) -> None:
    """A piece that was published and not heard is found in what is kept; one that was not kept, in the answer."""

    def work() -> None:
        job = worker.newest()
        wait_until(lambda: worker.listened(job))
        held = worker.claim(job)
        worker.say(held, 0, "The ", published=False)
        worker.say(held, 4, "capital ")
        worker.say(held, 12, "is ", kept=False, published=False)
        worker.say(held, 15, "Paris", kept=False)
        worker.end(held, "The capital is Paris.")

    with working(work):
        chunks = list(asking.chat.completions.create(model="auto", messages=QUESTION, stream=True))
    assert text_of(chunks) == "The capital is Paris."


def _taken_over(second: str) -> Callable[[StreamingWorker], None]:
    def work(worker: StreamingWorker) -> None:
        job = worker.newest()
        wait_until(lambda: worker.listened(job))
        first = worker.claim(job)
        worker.say(first, 0, "The capital ")
        worker.abandon(first)
        again = worker.claim(job)
        assert again.fence == first.fence + 1
        worker.say(again, 0, second[:6])
        worker.end(again, second)

    return work


def test_an_answer_that_is_begun_anew_alike_goes_on(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: _taken_over("The capital is Paris.")(worker)):
        chunks = list(asking.chat.completions.create(model="auto", messages=QUESTION, stream=True))
    assert text_of(chunks) == "The capital is Paris."


def test_an_answer_that_is_begun_anew_otherwise_breaks_the_stream(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: _taken_over("Paris is it.")(worker)):
        stream = asking.chat.completions.create(model="auto", messages=QUESTION, stream=True)
        with pytest.raises(openai.APIError, match="begun anew") as caught:
            list(stream)
    assert caught.value.code == "stream_interrupted"
    completion = str(caught.value.message).split("/v1/chat/completions/")[1].split()[0]
    assert asking.chat.completions.retrieve(completion).choices[0].message.content == "Paris is it."


def test_a_failure_amid_the_stream_is_told_within_it(asking: OpenAI, worker: StreamingWorker) -> None:
    def work() -> None:
        job = worker.newest()
        wait_until(lambda: worker.listened(job))
        held = worker.claim(job)
        worker.say(held, 0, "The ")
        worker.fail(held, "all_candidates_failed", "the provider is away")

    with working(work):
        stream = asking.chat.completions.create(model="auto", messages=QUESTION, stream=True)
        with pytest.raises(openai.APIError, match="the provider is away") as caught:
            list(stream)
    assert caught.value.code == "all_candidates_failed"


def test_a_failure_before_the_first_word_is_an_error_like_any_other(asking: OpenAI, worker: StreamingWorker) -> None:
    with (
        working(lambda: worker.fail(worker.claim(worker.newest()), "budget_exceeded")),
        pytest.raises(openai.APIStatusError) as caught,
    ):
        asking.chat.completions.create(model="auto", messages=QUESTION, stream=True)
    assert caught.value.status_code == 402


def test_silence_is_filled_with_comments(
    connect: Connect, base_settings: Settings, tenant: Tenant, worker: StreamingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "SILENCE_SECONDS", 0.05)
    heard = []
    with serving(base_settings) as url, connect(url, tenant.key).stream("POST", PATH, json=BODY) as response:
        assert response.headers["X-Accel-Buffering"] == "no"
        for line in response.iter_lines():
            heard.append(line)
            if line == ": keep-alive" and heard.count(line) == 3:
                worker.end(worker.claim(worker.newest()), "Paris.")
    assert heard.count(": keep-alive") >= 3
    assert "data: [DONE]" in heard


def test_who_goes_away_loses_nothing_and_reads_on_from_any_place(
    connect: Connect, service: str, tenant: Tenant, worker: StreamingWorker
) -> None:
    http = connect(service, tenant.key)
    with working(lambda: answer_in_pieces(worker)), http.stream("POST", PATH, json=BODY) as response:
        events = parse_events(response.read().decode())
    completion = _id(events)
    numbers = [int(event["id"]) for event in events if "id" in event]
    assert numbers == sorted(numbers)
    whole = _text(events)
    for after in range(len(whole) + 1):
        rest = raw_events(http, f"{PATH}/{completion}", stream="true", starting_after=after)
        assert _text(rest) == whole[after:]
        assert rest[-1] == {"data": "[DONE]"}
    again = http.get(f"{PATH}/{completion}", params={"stream": "true"}, headers={"Last-Event-ID": "4"})
    assert _text(parse_events(again.text)) == whole[4:]
    odd = http.get(f"{PATH}/{completion}", params={"stream": "true"}, headers={"Last-Event-ID": "9" * 5000})
    assert _text(parse_events(odd.text)) == whole  # no place that ever was: from the start


def test_who_comes_while_it_is_being_said_hears_all_of_it(
    connect: Connect, service: str, tenant: Tenant, worker: StreamingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "SILENCE_SECONDS", 0.2)  # what the headers wait for at most
    http = connect(service, tenant.key)
    with http.stream("POST", PATH, json=BODY) as first:
        job = worker.newest()
        held = worker.claim(job)
        worker.say(held, 0, "The capital ")
        completion = _id(parse_events(next(first.iter_text())))
    with working(lambda: _finish_when_heard(worker, held)):
        events = raw_events(http, f"{PATH}/{completion}", stream="true", starting_after=4)
    assert _text(events) == "capital is Paris."


def test_a_place_in_a_text_that_was_begun_anew_is_refused(
    connect: Connect, service: str, tenant: Tenant, worker: StreamingWorker
) -> None:
    http = connect(service, tenant.key)
    with working(lambda: _taken_over("The capital is Paris.")(worker)), http.stream("POST", PATH, json=BODY) as first:
        completion = _id(parse_events(first.read().decode()))
    (broken,) = raw_events(http, f"{PATH}/{completion}", stream="true", starting_after=3)
    assert "begun anew" in broken["data"]


def test_a_client_that_leaves_a_waiting_request_leaves_a_job_that_is_answered(
    connect: Connect, service: str, tenant: Tenant, worker: StreamingWorker, database: Database
) -> None:
    hurried = connect(service, tenant.key)
    with pytest.raises(httpx2.ReadTimeout):
        hurried.post(PATH, json={**BODY, "stream": False}, timeout=0.3)
    job = worker.newest()
    worker.end(worker.claim(job), "Paris.")
    (ended,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job))
    assert ended.answer is not None
    assert ended.answer.text == "Paris."


def _finish_when_heard(worker: StreamingWorker, held: Claim) -> None:
    wait_until(lambda: worker.listened(held.id))
    worker.say(held, 12, "is Paris")
    worker.end(held, "The capital is Paris.")


def _id(events: list[dict[str, str]]) -> str:
    return str(httpx2.Response(200, content=events[0]["data"]).json()["id"])


def _text(events: list[dict[str, str]]) -> str:
    bodies = [httpx2.Response(200, content=event["data"]).json() for event in events if event["data"] != "[DONE]"]
    return "".join(choice["delta"].get("content") or "" for body in bodies for choice in body["choices"])
