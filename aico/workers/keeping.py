"""Which answers are served again, and for how long."""

import json
from datetime import datetime
from typing import Protocol

from aico.core import chat
from aico.core.chat import AUTO_MODELS, ChatRequest, Completion, FinishReason
from aico.core.freshness import bound_to_time
from aico.core.jobs import CacheMode
from aico.core.settings import Settings


class Cacheable(Protocol):
    """The job whose answer it is."""

    @property
    def request(self) -> ChatRequest: ...

    @property
    def cache_mode(self) -> CacheMode: ...


class Keeping:
    def __init__(self, settings: Settings) -> None:
        self._short_seconds = settings.cache_short_ttl_seconds
        self._most_bytes = settings.cache_max_answer_bytes

    def keeps(self, job: Cacheable, model: str, completion: Completion) -> bool:
        """`model` answered. Of another model than the one that was named, an answer is only a stopgap."""
        request = job.request
        return (
            keeps(job.cache_mode, completion)
            and request.model in {*AUTO_MODELS, model}
            and (request.response_format == "text" or is_json(completion.text))
            and self._small(completion)
        )

    def lifetime_seconds(self, request: ChatRequest, at: datetime) -> float | None:
        """For which an answer to it may be kept at most; None: as long as any other."""
        return self._short_seconds if bound_to_time(request, at.year) else None

    def _small(self, completion: Completion) -> bool:
        answers = (completion, *completion.more)
        size = sum(len(answer.text.encode()) for answer in answers)
        told = [answer.logprobs for answer in answers if answer.logprobs is not None]
        return size + (len(json.dumps(told)) if told else 0) <= self._most_bytes


def keeps(mode: CacheMode, completion: Completion) -> bool:
    """Only whole answers in words are served again: nothing truncated, refused, empty, or calling a tool."""
    answers = (completion, *completion.more)
    return mode is not CacheMode.OFF and all(in_words(answer) for answer in answers)


def in_words(answer: chat.Choice) -> bool:
    """Whether it is whole, and words alone."""
    whole = answer.finish_reason is FinishReason.STOP and not answer.refused and not answer.tool_calls
    return whole and bool(answer.text.strip())


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
