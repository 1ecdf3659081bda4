"""What a caller asks and what comes back, independent of any wire format."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from aico.core.usage import Usage

AUTO_MODEL = "auto"


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str


class ChatRequest(BaseModel):
    """One conversation to be continued by a model. `model` is a catalogue id or `auto`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    model: str = AUTO_MODEL
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    response_format: Literal["text", "json_object"] = "text"

    @property
    def last_user_turn(self) -> str:
        """The text that is compared by meaning; everything else belongs to the cache namespace."""
        return self.messages[-1].content


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"


class Completion(BaseModel):
    """A model's whole answer to one request."""

    model_config = ConfigDict(frozen=True)

    text: str
    finish_reason: FinishReason
    model: str  # as the provider reports it
    usage: Usage
