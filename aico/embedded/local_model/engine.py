"""What the server asks of a model, whichever it is."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, TypeAlias

from aico.core.chat import FinishReason, JsonSchema, Message, Tool, ToolCall, ToolChoice
from aico.core.errors import AicoError

DEFAULT_MAX_TOKENS = 512  # a small model that is left alone repeats itself until its context is full


class Busy(AicoError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limit_exceeded"
    title = "Too many requests waiting"


@dataclass(frozen=True)
class Prompt:
    messages: tuple[Message, ...]
    max_tokens: int = DEFAULT_MAX_TOKENS
    temperature: float = 0.0  # 0 is greedy
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None  # where none is said, the model decides
    json_schema: JsonSchema | None = None  # that the answer has to follow
    choice: int = 0  # which of several answers to the same question this one is


@dataclass(frozen=True)
class Piece:
    """Text that continues the answer."""

    text: str


@dataclass(frozen=True)
class Called:
    """A tool's call that is a part of the answer."""

    call: ToolCall


@dataclass(frozen=True)
class Finished:
    """The end of the answer. Tokens are the model's own, its end-of-turn token included."""

    reason: FinishReason  # STOP, LENGTH or TOOL_CALLS
    prompt_tokens: int
    completion_tokens: int


Event: TypeAlias = Piece | Called | Finished


class Engine(Protocol):
    @property
    def model_id(self) -> str: ...

    @property
    def owned_by(self) -> str: ...

    @property
    def structured(self) -> bool:
        """Whether it calls tools, looks at pictures, follows schemas and gives several choices."""
        ...

    def answer(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Pieces and calls, then one Finished. Closing the iterator early cancels the work.

        Raises Busy when too many wait, InvalidInput for a prompt that does not fit, Unavailable when the model fails.
        """
        ...

    def close(self) -> None:
        """Stop working; whoever still waits gets Unavailable."""
        ...
