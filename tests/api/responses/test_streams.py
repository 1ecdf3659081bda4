"""Responses as streams, raw and by their client's helper, and streams that are taken up again."""

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx2
import openai
import pytest
import redis
from api.conftest import Connect, assert_error, wait_until
from api.talking import StreamingWorker, client, parse_events, working
from conftest import Tenant
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from aico.core.chat import FinishReason, ToolCall
from aico.store.claims import Claim

QUESTION = "What is the capital of France?"
ANSWER = "The capital is Paris."
CALL = ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}')
BACKGROUND: Any = {"model": "auto", "input": QUESTION, "background": True, "stream": True}

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


class City(BaseModel):
    name: str


def answer_in_pieces(worker: StreamingWorker, text: str = ANSWER, **changes: object) -> Claim:
    job = worker.newest()
    wait_until(lambda: worker.listened(job))
    held = worker.claim(job)
    worker.say(held, 0, text[:4])
    worker.say(held, 4, text[4:12])
    worker.end(held, text, **changes)
    return held


def text_of(events: Iterable[Any]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def judged(events: Iterable[Any]) -> list[Any]:
    """Each as their client's types promise it, and numbers that only grow."""
    heard = [_EVENT.validate_python(event.model_dump(mode="json", exclude_unset=True)) for event in events]
    numbers = [event.sequence_number for event in heard]
    assert numbers == sorted(set(numbers))
    return heard


def test_pieces_come_as_they_are_said_and_add_up_to_the_answer(asking: OpenAI, worker: StreamingWorker) -> None:
    said: list[Claim] = []

    def work() -> None:
        job = worker.newest()
        wait_until(lambda: worker.listened(job))
        said.append(worker.claim(job))
        worker.say(said[0], 0, "The ")

    with working(work):
        stream = asking.responses.create(model="auto", input=QUESTION, stream=True)
        events = [next(stream) for _ in range(5)]
    assert text_of(events) == "The "  # the job has not ended yet
    worker.end(said[0], ANSWER)
    events = judged([*events, *stream])
    assert text_of(events) == ANSWER
    assert [event.type for event in events[:4]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == ANSWER
    assert asking.responses.retrieve(events[-1].response.id).output_text == ANSWER


def test_the_helper_follows_a_stream_to_its_response(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer_in_pieces(worker)), asking.responses.stream(model="auto", input=QUESTION) as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots[-1] == final.output_text == ANSWER
    assert snapshots[0] == "The "


def test_the_helper_parses_and_follows_calls(asking: OpenAI, worker: StreamingWorker) -> None:
    calls: Any = {"tool_calls": (CALL,), "finish_reason": FinishReason.TOOL_CALLS}
    tool: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
    with (
        working(lambda: answer_in_pieces(worker, '{"name": "Paris"}', **calls)),
        asking.responses.stream(model="able", input=QUESTION, text_format=City, tools=[tool]) as stream,
    ):
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_parsed == City(name="Paris")
    call = final.output[1]
    assert call.type == "function_call"
    assert (call.call_id, call.arguments) == ("call_1", CALL.arguments)
    deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
    assert [event.snapshot for event in deltas] == [CALL.arguments]


def test_the_asynchronous_client_streams_too(able_service: str, tenant: Tenant, worker: StreamingWorker) -> None:
    async def follow() -> str:
        async with (
            AsyncOpenAI(base_url=f"{able_service}/v1", api_key=tenant.key, max_retries=0) as asking,
            asking.responses.stream(model="auto", input=QUESTION) as stream,
        ):
            return (await stream.get_final_response()).output_text

    with working(lambda: answer_in_pieces(worker)):
        assert asyncio.run(follow()) == ANSWER


def test_a_hit_is_replayed_as_a_stream(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer_in_pieces(worker)):
        list(asking.responses.create(model="auto", input=QUESTION, stream=True))
    events = judged(asking.responses.create(model="auto", input=QUESTION, stream=True))
    assert text_of(events) == ANSWER
    assert events[-1].response.model_extra["aico"]["cache"] == "exact"


def test_a_background_stream_is_resumed_after_any_of_its_events(asking: OpenAI, worker: StreamingWorker) -> None:
    calls: Any = {"tool_calls": (CALL,), "finish_reason": FinishReason.TOOL_CALLS}
    with working(lambda: answer_in_pieces(worker, **calls)):
        events = judged(asking.responses.create(**BACKGROUND))
    assert [event.type for event in events[:2]] == ["response.created", "response.queued"]
    response = events[0].response.id
    for place, event in enumerate(events, start=1):
        rest = judged(asking.responses.retrieve(response, stream=True, starting_after=event.sequence_number))
        assert text_of(events[:place]) + text_of(rest) == ANSWER
        closing = [one for one in events[place:] if "delta" not in one.type]
        assert [one for one in rest if "delta" not in one.type] == closing
        assert min((one.sequence_number for one in rest), default=10**9) > event.sequence_number
    assert text_of(asking.responses.retrieve(response, stream=True)) == ANSWER


def test_a_stream_that_broke_off_is_taken_up_while_the_answer_is_still_being_given(
    asking: OpenAI, worker: StreamingWorker
) -> None:
    stream = asking.responses.create(**BACKGROUND)
    response = next(stream).response.id
    job = worker.newest()
    wait_until(lambda: worker.listened(job))
    held = worker.claim(job)
    worker.say(held, 0, "The ")
    heard = [next(stream) for _ in range(5)]
    assert text_of(heard) == "The "
    stream.close()
    wait_until(lambda: not worker.listened(job))
    worker.say(held, 4, "capital ")
    after = heard[-1].sequence_number
    again = asking.responses.retrieve(response, stream=True, starting_after=after)
    resumed = [next(again)]
    assert text_of(resumed) == "capital "
    worker.end(held, ANSWER)
    assert text_of([*heard, *resumed, *again]) == ANSWER


def test_the_helper_takes_a_stream_up_again(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: answer_in_pieces(worker)):
        events = list(asking.responses.create(**BACKGROUND))
    response, middle = events[0].response.id, events[5].sequence_number
    with asking.responses.stream(response_id=response, starting_after=middle) as stream:
        rest = list(stream)
        assert stream.get_final_response().output_text == ANSWER
    assert all(event.sequence_number > middle for event in rest)


def test_a_takeover_that_says_something_else_is_told_and_read_from_its_beginning(
    asking: OpenAI, worker: StreamingWorker
) -> None:
    def work() -> None:
        job = worker.newest()
        wait_until(lambda: worker.listened(job))
        first = worker.claim(job)
        worker.say(first, 0, "The capital ")
        worker.abandon(first)
        again = worker.claim(job)
        worker.say(again, 0, "Paris ")
        worker.end(again, "Paris is it.")

    with working(work):
        events = judged(asking.responses.create(**BACKGROUND))
    assert (events[-1].type, events[-1].code) == ("error", "answer_restarted")
    response = events[0].response.id
    rest = judged(asking.responses.retrieve(response, stream=True, starting_after=events[-1].sequence_number))
    assert text_of(rest) == "Paris is it."
    assert rest[-1].type == "response.completed"


def test_failed_and_cancelled_streams_end_with_the_response(asking: OpenAI, worker: StreamingWorker) -> None:
    with working(lambda: worker.fail(worker.claim(worker.newest()), "all_candidates_failed")):
        failed = judged(asking.responses.create(model="auto", input=QUESTION, stream=True))[-1]
    assert (failed.type, failed.response.status, failed.response.error.code) == (
        "response.failed",
        "failed",
        "server_error",
    )
    stream = asking.responses.create(**BACKGROUND)
    made = next(stream)
    asking.responses.cancel(made.response.id)
    last = judged([made, *stream])[-1]
    assert (last.type, last.response.status) == ("response.failed", "cancelled")


def test_a_stream_of_a_deleted_response_ends(asking: OpenAI, worker: StreamingWorker) -> None:
    stream = asking.responses.create(**BACKGROUND)
    made = next(stream)
    job = worker.newest()
    wait_until(lambda: worker.listened(job))
    asking.responses.delete(made.response.id)
    assert {event.type for event in stream} <= {"response.queued", "response.in_progress", "response.failed"}


@pytest.mark.parametrize("said", [{"background": True}, {"stream": True}, {}])
def test_only_a_background_stream_can_be_streamed_again(
    asking: OpenAI, worker: StreamingWorker, api: httpx2.Client, said: dict[str, bool]
) -> None:
    body = {"model": "auto", "input": QUESTION, **said}
    with working(lambda: worker.end(worker.claim(worker.newest()), ANSWER)):
        answer = api.post("/v1/responses", json=body)
    text = answer.text
    response = f"resp_{answer.headers['x-aico-job-id'].replace('-', '')}"
    assert response in text
    error = assert_error(api.get(f"/v1/responses/{response}?stream=true"), 400, "invalid_input")
    assert error["param"] == "stream"
    wait_until(lambda: api.get(f"/v1/responses/{response}").json()["status"] == "completed")


def test_events_carry_their_name_and_number(api: httpx2.Client, worker: StreamingWorker) -> None:
    with working(lambda: worker.end(worker.claim(worker.newest()), ANSWER)):
        answer = api.post("/v1/responses", json={"model": "auto", "input": QUESTION, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    events = parse_events(answer.text)
    assert events[0]["event"] == "response.created"
    assert events[0]["id"] == "0"
    assert events[-1]["event"] == "response.completed"
    assert "[DONE]" not in answer.text


def test_without_redis_the_whole_answer_comes_at_the_end(
    asking: OpenAI, worker: StreamingWorker, broker: redis.Redis
) -> None:
    def work() -> None:
        job = worker.newest()
        wait_until(lambda: worker.listened(job))
        held = worker.claim(job)
        worker.say(held, 0, "The ", kept=False, published=False)
        worker.end(held, ANSWER)

    with working(work):
        events = judged(asking.responses.create(model="auto", input=QUESTION, stream=True))
    assert text_of(events) == ANSWER


def test_a_stranger_cannot_listen(asking: OpenAI, able_service: str, make_tenant: Any, connect: Connect) -> None:
    stream = asking.responses.create(**BACKGROUND)
    made = next(stream).response.id
    stream.close()
    with pytest.raises(openai.NotFoundError):
        client(able_service, make_tenant().key).responses.retrieve(made, stream=True)
