"""What the course of a job says of the models that were asked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from builders import chat

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.chat import FinishReason, ToolCall
from aico.core.ids import new_id
from aico.core.jobs import Answer
from aico.core.signals import EMPTY, ESCALATED, REFUSED, TRUNCATED, Signal, escalated, signals_of


def answer(text: str = "Paris.", finish: FinishReason = FinishReason.STOP, **more: Any) -> Answer:
    return Answer(text=text, finish_reason=finish, input_tokens=1, output_tokens=1, **more)


def attempt(model: str, outcome: AttemptOutcome, status: int | None) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.CALL,
        outcome=outcome,
        provider="p",
        model=model,
        latency_ms=1,
        http_status=status,
    )


@pytest.mark.parametrize(
    ("said", "quality"),
    [
        (answer(refused=True), REFUSED),
        (answer(finish=FinishReason.CONTENT_FILTER), REFUSED),
        (answer(finish=FinishReason.LENGTH), TRUNCATED),
        (answer(" \n"), EMPTY),
    ],
    ids=["refused", "filtered", "truncated", "empty"],
)
def test_an_answer_that_ends_badly_speaks_against_its_model(said: Answer, quality: float) -> None:
    assert signals_of(chat("Where?"), "m", said, []) == (Signal("m", quality),)


def test_a_whole_answer_says_nothing() -> None:
    call = ToolCall(id="1", name="f", arguments="{}")
    for said in (answer(), answer("", FinishReason.TOOL_CALLS, tool_calls=(call,))):
        assert signals_of(chat("Where?"), "m", said, []) == ()


def test_an_answer_is_no_worse_for_the_length_that_its_caller_asked_for() -> None:
    short = chat("Where?").model_copy(update={"max_tokens": 5})
    assert signals_of(short, "m", answer(finish=FinishReason.LENGTH), []) == ()


def test_a_model_that_declined_before_another_answered_is_told_of_once() -> None:
    attempts = [
        attempt("declines", AttemptOutcome.FATAL, 400),
        attempt("declines", AttemptOutcome.FATAL, 422),
        attempt("busy", AttemptOutcome.RETRYABLE, 503),
        attempt("locked", AttemptOutcome.FATAL, 401),
        attempt("m", AttemptOutcome.OK, None),
    ]
    assert signals_of(chat("Where?"), "m", answer(), attempts) == (Signal("declines", REFUSED),)


def test_a_rejected_draft_is_a_weak_sign() -> None:
    assert escalated("small") == Signal("small", ESCALATED)
