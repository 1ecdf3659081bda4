"""What a caller asks and what comes back, independent of any wire format."""

import operator
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aico.core.usage import Usage

AUTO_MODEL = "auto"  # the cheapest model that is good enough for the prompt
AUTO_CHEAP = "auto:cheap"  # the cheapest that can serve the request at all
AUTO_QUALITY = "auto:quality"  # the best
AUTO_MODELS = frozenset({AUTO_MODEL, AUTO_CHEAP, AUTO_QUALITY})


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"  # what a tool that the assistant called has returned


class Value(BaseModel):
    """A part of a request or an answer: compared by what it holds, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextPart(Value):
    type: Literal["text"] = "text"
    text: str


class ImagePart(Value):
    type: Literal["image"] = "image"
    url: str  # https, or a data: URL that holds the picture in base64
    detail: Literal["auto", "low", "high"] | None = None


Part = TextPart | ImagePart  # told apart by their fields: `type` is left out where defaults are


class ToolCall(Value):
    """A call that a model asks for. `arguments` is the JSON text that it wrote, which need not be valid."""

    id: str
    name: str
    arguments: str


class Message(Value):
    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()  # the assistant's
    tool_call_id: str | None = None  # which call a tool's message answers
    name: str | None = None  # tells apart several participants of one role

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, ImagePart))


class Tool(Value):
    """A function that the model may ask to have called. `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None


class ToolChoice(Value):
    """`one` asks for a call of the tool called `name`."""

    mode: Literal["auto", "none", "required", "one"] = "auto"
    name: str | None = None


class JsonSchema(Value):
    """What an answer has to look like where `response_format` is `json_schema`."""

    name: str = "answer"
    description: str | None = None
    schema_: Annotated[Mapping[str, Any], Field(alias="schema")]
    strict: bool | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class ChatRequest(BaseModel):
    """One conversation to be continued by a model. `model` is a catalogue id, or `auto` with or without a leaning.

    `hints` go to a provider that understands them as they are; they never change what is asked: who the end user is,
    say, or how the provider is to cache the prompt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    model: str = AUTO_MODEL
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: Mapping[str, float] = {}
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: Annotated[int, Field(ge=1, le=128)] = 1
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    hints: Mapping[str, Any] = {}

    @property
    def last_user_turn(self) -> str:
        """The text that is compared by meaning; everything else belongs to the cache namespace."""
        return self.messages[-1].text

    @property
    def ends_in_plain_words(self) -> bool:
        """Whether the last turn is a user's text and nothing else: only such turns are compared by meaning."""
        last = self.messages[-1]
        return last.role is Role.USER and isinstance(last.content, str)


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"


class Choice(BaseModel):
    """One of a model's answers to a request. Where it declined, `text` says so in its words and `refused` is true."""

    model_config = ConfigDict(frozen=True)

    text: str
    finish_reason: FinishReason
    tool_calls: Annotated[tuple[ToolCall, ...], Field(exclude_if=operator.not_)] = ()
    refused: Annotated[bool, Field(exclude_if=operator.not_)] = False
    logprobs: Mapping[str, Any] | None = None  # in OpenAI's form: `content` and `refusal`, each a list of tokens


class Completion(Choice):
    """A model's whole answer to one request. `more` are the choices after the first, where several were asked for."""

    model: str  # as the provider reports it
    usage: Usage
    more: tuple[Choice, ...] = ()
