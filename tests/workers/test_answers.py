"""What of a model's answer is stored with its job, and which answers are served again."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.chat import ChatRequest, Choice, Completion, FinishReason, Message, Role, ToolCall
from aico.core.ids import new_id
from aico.core.jobs import Answer, CacheMode
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store.job_policy import JobPolicy
from aico.workers.answers import Answers
from aico.workers.keeping import keeps

PLAIN = JobPolicy(baseline_model=None, fallback=True, quality_floor=None, max_cost_cents=None)
CALL = ToolCall(id="call_1", name="clock", arguments="{}")
USAGE = Usage(input_uncached=10, cache_read=20, cache_write=5, output=40, reasoning=30)
QUESTION = ChatRequest(messages=(Message(role=Role.USER, content="What time is it?"),))


@dataclass(frozen=True)
class Asked:
    id: UUID
    fence: int = 1
    request: ChatRequest = QUESTION
    cache_mode: CacheMode = CacheMode.EXACT
    api_key_id: UUID | None = None
    policy: JobPolicy = PLAIN
    attempts: int = 0
    spent_cents: Decimal = Decimal(0)


def completion(**changes: Any) -> Completion:
    values = {"text": "Noon.", "finish_reason": FinishReason.STOP, "model": "m", "usage": USAGE}
    return Completion(**{**values, **changes})


def test_everything_that_a_model_said_is_in_the_answer() -> None:
    settings = Settings.model_construct(openai_api_key=SecretStr("k"))
    answers = Answers(settings, ComplexityStrategy(), Catalogue.from_settings(settings))
    choice = answers.choose(QUESTION, PLAIN)
    model = choice.decision.candidates[0]
    attempt = Attempt(
        id=new_id(),
        at=choice.at,
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.OK,
        provider=model.provider,
        model=model.id,
        latency_ms=1,
    )
    said = completion(
        tool_calls=(CALL,),
        refused=True,
        logprobs={"content": [], "refusal": None},
        more=(Choice(text="One.", finish_reason=FinishReason.LENGTH),),
    )
    ending = answers.ending(Asked(new_id()), choice, model, said, [attempt])
    assert ending.answer == Answer(
        text="Noon.",
        finish_reason=FinishReason.STOP,
        tool_calls=(CALL,),
        refused=True,
        logprobs={"content": [], "refusal": None},
        more=(Choice(text="One.", finish_reason=FinishReason.LENGTH),),
        input_tokens=35,
        output_tokens=40,
        cached_tokens=20,
        reasoning_tokens=30,
    )


def test_whole_answers_in_words_are_kept() -> None:
    several = completion(more=(Choice(text="One.", finish_reason=FinishReason.STOP),))
    assert keeps(CacheMode.EXACT, completion())
    assert keeps(CacheMode.SEMANTIC, several)
    assert not keeps(CacheMode.OFF, completion())


@pytest.mark.parametrize(
    "changes",
    [
        {"finish_reason": FinishReason.LENGTH},
        {"finish_reason": FinishReason.TOOL_CALLS, "tool_calls": (CALL,)},
        {"tool_calls": (CALL,)},
        {"refused": True},
        {"text": " "},
        {"more": (Choice(text="One", finish_reason=FinishReason.LENGTH),)},
    ],
)
def test_other_answers_are_not_served_again(changes: dict[str, Any]) -> None:
    assert not keeps(CacheMode.EXACT, completion(**changes))
