"""One call of a model as a log tells it, whatever program wrote the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aico.core.chat import ChatRequest
from aico.core.usage import Usage


class NotReadable(Exception):
    """Why a line says nothing that can be used. The reason never repeats words of a prompt."""


class SetAside(Exception):
    """Why a line that was read is no part of the audit: a span, an embedding, a call that failed."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came back. What a log does not say is None."""

    answer: str | None = None
    usage: Usage | None = None
    cache_known: bool = False  # whether the usage tells cached tokens apart from others
    at: float | None = None  # seconds since 1970, when the call began
    model: str | None = None  # as the provider names it


@dataclass(frozen=True, slots=True)
class LoggedCall:
    request: ChatRequest
    scope: Mapping[str, Any] = field(default_factory=dict)  # parameters that the service does not know
    result: Result = Result()
    provider: str | None = None  # as the log names it
    seconds: float | None = None  # from the first byte sent to the last one received
    dollars: Decimal | None = None  # as logged
    session: str | None = None
    user: str | None = None
    streamed: bool = False  # somebody watched the answer appear
    cached: bool = False  # a cache in front of the provider answered
    custom_id: str | None = None  # the answer comes in another line, under this id


@dataclass(frozen=True, slots=True)
class LateResult:
    """A line of a batch's output: the result of a request that another line holds."""

    custom_id: str
    result: Result
