"""What the course of a job says of the models that were asked, without anybody having judged an answer.

Each value is a guess that is easy to explain, and weighs less than what a judge or a user says: a later judgement of
either takes its place. There is no value for a good sign, because silence is none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.chat import ChatRequest, FinishReason
from aico.core.jobs import Answer

EMPTY = 0.0  # nothing was said
REFUSED = 0.25  # the model declined, or its provider did for it; another request may fare better
TRUNCATED = 0.25  # the answer broke off, and no caller had asked for a short one
ESCALATED = 0.25  # a draft that was not good enough to be given to the caller
REPEATED = 0.25  # the caller asked at once for another answer to the same question

REPEAT_SECONDS = 600.0  # how soon "at once" is

_DECLINED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True, slots=True)
class Signal:
    """A quality in 0..1 of what `model` answered, or would have answered."""

    model: str
    quality: float

    def row(self, job: UUID) -> dict[str, Any]:
        """As the statement takes it that ends a job."""
        return {"job": str(job), "model": self.model, "quality": self.quality}


def escalated(model: str) -> Signal:
    """Of a model whose draft was rejected before another one answered."""
    return Signal(model, ESCALATED)


def signals_of(request: ChatRequest, model: str, answer: Answer, attempts: Iterable[Attempt]) -> tuple[Signal, ...]:
    """Of the model that answered, if its answer ended badly, and of those that refused the request before it."""
    declined = dict.fromkeys(attempt.model for attempt in attempts if _declined(attempt) and attempt.model != model)
    said = [Signal(one, REFUSED) for one in declined]
    quality = _ending_of(request, answer)
    return tuple(said) if quality is None else (*said, Signal(model, quality))


def _declined(attempt: Attempt) -> bool:
    fatal = attempt.kind is AttemptKind.CALL and attempt.outcome is AttemptOutcome.FATAL
    return fatal and attempt.http_status in _DECLINED


def _ending_of(request: ChatRequest, answer: Answer) -> float | None:
    if answer.refused or answer.finish_reason is FinishReason.CONTENT_FILTER:
        return REFUSED
    if answer.finish_reason is FinishReason.LENGTH:
        return TRUNCATED if request.max_tokens is None else None
    return None if answer.text.strip() or answer.tool_calls else EMPTY
