"""What the server asks of a model, whichever it is."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from aico.core.chat import FinishReason, Message
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


@dataclass(frozen=True)
class Piece:
    """Text that continues the answer."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The end of the answer. Tokens are the model's own, its end-of-turn token included."""

    reason: FinishReason  # STOP or LENGTH
    prompt_tokens: int
    completion_tokens: int


class Engine(Protocol):
    @property
    def model_id(self) -> str: ...

    @property
    def owned_by(self) -> str: ...

    def answer(self, prompt: Prompt) -> AsyncGenerator[Piece | Finished, None]:
        """Pieces, then one Finished. Closing the iterator early cancels the work.

        Raises Busy when too many wait, InvalidInput for a prompt that does not fit, Unavailable when the model fails.
        """
        ...

    def close(self) -> None:
        """Stop working; whoever still waits gets Unavailable."""
        ...
