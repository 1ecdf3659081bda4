"""The whole product behind OpenAI's own client for Responses. The model is simulated."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from acceptance.conftest import Running

PATIENCE_SECONDS = 30


@pytest.fixture
def asking(product: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{product.url}/v1", api_key=product.key) as client:
        yield client


def polled(asking: OpenAI, response: str) -> Any:
    """As OpenAI's guide to background mode has it."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (shown := asking.responses.retrieve(response)).status in {"queued", "in_progress"}:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return shown


def test_a_response_is_answered_and_gone_on_from(asking: OpenAI) -> None:
    first = asking.responses.create(model="auto", input="How high is the tower?", instructions="Be brief.")
    assert (first.status, bool(first.output_text)) == ("completed", True)
    second = asking.responses.create(model="auto", input="And how old?", previous_response_id=first.id)
    assert second.output_text
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    asking.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError):
        asking.responses.retrieve(second.id)


def test_a_background_response_ends_by_itself(asking: OpenAI) -> None:
    made = asking.responses.create(model="auto", input="How wide is the river?", background=True)
    done = polled(asking, made.id)
    assert (done.status, bool(done.output_text), done.background) == ("completed", True, True)
    assert done.model_extra["aico"]["provider"] == "simulated"
    assert asking.responses.cancel(made.id).output_text == done.output_text


def test_a_stream_adds_up_and_can_be_taken_up_again(asking: OpenAI) -> None:
    said: Any = {"model": "auto", "input": "How deep is the ocean, and who has been down there?"}
    events: list[Any] = list(asking.responses.create(**said, background=True, stream=True))
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 1  # it came piece by piece
    whole = events[-1].response
    assert (events[-1].type, "".join(event.delta for event in deltas)) == ("response.completed", whole.output_text)
    rest: list[Any] = list(asking.responses.retrieve(whole.id, stream=True, starting_after=deltas[0].sequence_number))
    again = "".join(event.delta for event in rest if event.type == "response.output_text.delta")
    assert deltas[0].delta + again == whole.output_text


def test_the_helper_follows_a_stream(asking: OpenAI) -> None:
    with asking.responses.stream(model="auto", input="How far is the next star?") as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        assert stream.get_final_response().output_text == snapshots[-1]
