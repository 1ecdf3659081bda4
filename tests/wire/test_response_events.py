"""Responses as streams: in OpenAI's order, with numbers that only grow, and resumable after each of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai.types.responses import ResponseCompletedEvent
from wire.responding import CALLS, HEX, answered, ended, judged_event, queued

from aico.core.chat import FinishReason
from aico.core.jobs import Job, JobStatus
from aico.wire.response_events import ResponseEvents

BACKGROUND = {"background": True, "stream": True}
OPENING = ["response.created", "response.queued", "response.in_progress"]
MESSAGE = ["response.output_item.added", "response.content_part.added"]
MESSAGE_DONE = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
CALL = [
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
]
NO_ARGUMENTS = [kind for kind in CALL if not kind.endswith("delta")]

Event = dict[str, Any]


def stored(job: Job, after: int | None = None) -> list[Event]:
    """All that a reader hears who comes when the job has ended."""
    events = ResponseEvents(job, after)
    return [*events.begin(), *events.ended(job)]


def live(job: Job, *pieces: tuple[int, int, str], after: int | None = None) -> list[Event]:
    """All that a reader hears who listens while these pieces come: generation, start, text."""

    def heard() -> Iterator[Event]:
        yield from events.begin()
        yield from events.started()
        for piece in pieces:
            yield from events.text(*piece)
        if not events.broken:
            yield from events.ended(job)

    events = ResponseEvents(queued(**BACKGROUND), after)
    return list(heard())


def kinds(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def text_of(events: list[Event]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def numbers(events: list[Event]) -> list[int]:
    return [event["sequence_number"] for event in events]


SEVERAL = answered(queued(**BACKGROUND), "Let me look.", tool_calls=CALLS, finish_reason=FinishReason.TOOL_CALLS)
REFUSAL = answered(queued(**BACKGROUND), "I cannot.", refused=True, finish_reason=FinishReason.CONTENT_FILTER)
ENDINGS: dict[str, Callable[[], Job]] = {
    "text": lambda: answered(queued(**BACKGROUND)),
    "text in front of calls": lambda: SEVERAL,
    "calls": lambda: answered(queued(**BACKGROUND), "", tool_calls=CALLS, finish_reason=FinishReason.TOOL_CALLS),
    "nothing": lambda: answered(queued(**BACKGROUND), ""),
    "refusal": lambda: REFUSAL,
    "cut": lambda: answered(queued(**BACKGROUND), finish_reason=FinishReason.LENGTH),
    "begun anew": lambda: answered(queued(**BACKGROUND), fence=3),
    "from the cache": lambda: answered(queued(**BACKGROUND), fence=0),
    "failed": lambda: ended(queued(**BACKGROUND), JobStatus.FAILED, "x"),
    "cancelled unseen": lambda: ended(queued(**BACKGROUND), JobStatus.CANCELLED, "cancelled"),
    "expired unseen": lambda: ended(queued(**BACKGROUND), JobStatus.EXPIRED, "deadline_exceeded", fence=0),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_their_client_can_read_each_event_and_numbers_only_grow(ending: str) -> None:
    events = stored(ENDINGS[ending]())
    for event in events:
        assert judged_event(event).type == event["type"]
    assert numbers(events) == sorted(set(numbers(events)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_after_each_number_exactly_the_rest_follows(ending: str) -> None:
    job = ENDINGS[ending]()
    events = stored(job)
    for place, event in enumerate(events, start=1):
        assert stored(job, event["sequence_number"]) == events[place:]


def test_an_answer_comes_in_the_documented_order() -> None:
    assert kinds(stored(answered(queued(**BACKGROUND)))) == [
        *OPENING,
        *MESSAGE,
        "response.output_text.delta",
        *MESSAGE_DONE,
        "response.completed",
    ]
    foreground = kinds(stored(answered(queued(stream=True))))
    assert foreground[:2] == ["response.created", "response.in_progress"]


def test_calls_follow_the_text() -> None:
    events = stored(SEVERAL)
    assert kinds(events)[3:] == [
        *MESSAGE,
        "response.output_text.delta",
        *MESSAGE_DONE,
        *CALL,
        *NO_ARGUMENTS,
        "response.completed",
    ]
    places = {event["item"]["id"]: event["output_index"] for event in events if "item" in event}
    assert places == {f"msg_{HEX}": 0, f"fc_{HEX}_0": 1, f"fc_{HEX}_1": 2}
    assert kinds(stored(ENDINGS["calls"]()))[3:] == [*CALL, *NO_ARGUMENTS, "response.completed"]


def test_a_refusal_has_events_of_its_own() -> None:
    events = stored(ENDINGS["refusal"]())
    assert kinds(events)[3:] == [
        *MESSAGE,
        "response.refusal.delta",
        "response.refusal.done",
        *MESSAGE_DONE[1:],
        "response.completed",
    ]
    assert events[5]["delta"] == events[6]["refusal"] == "I cannot."


def test_a_refusal_that_came_in_pieces_is_known_as_one_at_its_end() -> None:
    events = live(REFUSAL, (0, 0, "I "))
    assert [judged_event(event).type for event in events if "delta" in event] == ["response.output_text.delta"] * 2
    assert "".join(event["delta"] for event in events if "delta" in event) == "I cannot."
    assert events[-1] == stored(REFUSAL)[-1]
    rest = stored(REFUSAL, numbers(events)[5])
    assert (rest[0]["type"], rest[0]["delta"]) == ("response.refusal.delta", "cannot.")


@pytest.mark.parametrize(
    ("ending", "last", "status"),
    [
        ("cut", "response.incomplete", "incomplete"),
        ("failed", "response.failed", "failed"),
        ("cancelled unseen", "response.failed", "cancelled"),
        ("expired unseen", "response.failed", "failed"),
    ],
)
def test_the_last_event_tells_how_it_ended(ending: str, last: str, status: str) -> None:
    final = stored(ENDINGS[ending]())[-1]
    assert (final["type"], final["response"]["status"]) == (last, status)


def test_pieces_are_passed_on_as_they_come_and_the_rest_from_the_answer() -> None:
    job = answered(queued(**BACKGROUND), "The capital is Paris.")
    events = live(job, (0, 0, "The "), (0, 4, "capital "))
    assert [event["delta"] for event in events if "delta" in event] == ["The ", "capital ", "is Paris."]
    assert numbers(events) == sorted(set(numbers(events)))
    assert events[-1] == stored(job)[-1]
    assert isinstance(judged_event(events[-1]), ResponseCompletedEvent)


def test_a_reader_who_lost_the_connection_hears_the_rest_however_it_came_in_pieces() -> None:
    job = answered(queued(**BACKGROUND), "The capital is Paris.")
    events = live(job, (0, 0, "The "), (0, 4, "capital "), (0, 12, "is "))
    for place, event in enumerate(events, start=1):
        heard = text_of(events[:place])
        for resumed in (
            stored(job, event["sequence_number"]),
            live(job, (0, 0, "The capital "), (0, 12, "is Par"), after=event["sequence_number"]),
        ):
            assert heard + text_of(resumed) == "The capital is Paris."
            assert kinds([*events[:place], *resumed])[-1] == "response.completed"
            assert min(numbers(resumed), default=10**9) > event["sequence_number"]
            assert len([kind for kind in kinds([*events[:place], *resumed]) if kind in MESSAGE]) == 2


def test_a_worker_that_takes_over_and_says_the_same_is_not_noticed() -> None:
    job = answered(queued(**BACKGROUND), "The capital is Paris.", fence=2)
    events = live(job, (0, 0, "The capital "), (1, 0, "The "), (1, 4, "capital is Par"))
    assert text_of(events) == "The capital is Paris."
    assert numbers(events) == sorted(set(numbers(events)))
    assert kinds(events)[-1] == "response.completed"


def test_an_answer_that_begins_anew_and_says_something_else_breaks_the_stream_off() -> None:
    job = answered(queued(**BACKGROUND), "Paris is it.", fence=2)
    for events in (live(job, (0, 0, "The capital "), (1, 0, "Paris ")), live(job, (0, 0, "The capital "))):
        assert (events[-1]["type"], events[-1]["code"]) == ("error", "answer_restarted")
        assert numbers(events) == sorted(set(numbers(events)))
        rest = stored(job, events[-1]["sequence_number"])
        assert kinds(rest) == ["response.output_text.delta", *MESSAGE_DONE, "response.completed"]
        assert text_of(rest) == "Paris is it."


def test_a_reader_who_has_part_of_another_text_is_told_before_the_new_one() -> None:
    job = answered(queued(**BACKGROUND), "Paris is it.", fence=2)
    heard = live(job, (0, 0, "The capital "))[:-1]
    for again in (
        stored(job, heard[-1]["sequence_number"]),
        live(job, (1, 0, "P"), after=heard[-1]["sequence_number"]),
    ):
        assert kinds(again) == ["error"]
    nothing_of_the_text = heard[-2]["sequence_number"]
    assert text_of(stored(job, nothing_of_the_text)) == "Paris is it."


def test_a_stream_that_fails_in_the_middle_ends_behind_all_its_text() -> None:
    for fence in (1, 2, 3):
        job = ended(queued(**BACKGROUND), JobStatus.FAILED, "x", fence=fence)
        events = live(job, (fence - 1, 0, "The capital "))
        assert kinds(events)[-2:] == ["response.output_text.delta", "response.failed"]
        assert numbers(events) == sorted(set(numbers(events)))
        assert stored(job, events[-2]["sequence_number"]) == [events[-1]]


def test_a_number_that_was_never_given_is_followed_by_nothing() -> None:
    assert stored(answered(queued(**BACKGROUND)), 10**12) == []
