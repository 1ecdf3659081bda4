"""Chat completions as the OpenAPI document shows them; `aico.wire.chat_answer` writes them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from aico.core.chat import FinishReason


class CalledFunctionView(BaseModel):
    name: str
    arguments: str


class CalledToolView(BaseModel):
    id: str
    type: Literal["function"]
    function: CalledFunctionView


class MessageView(BaseModel):
    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: list[CalledToolView] = []


class ChoiceView(BaseModel):
    index: int
    message: MessageView
    finish_reason: FinishReason
    logprobs: dict[str, Any] | None


class InputDetails(BaseModel):
    cached_tokens: int


class OutputDetails(BaseModel):
    reasoning_tokens: int


class UsageView(BaseModel):
    """Tokens of the call that made the answer; one that is served again costs none of them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: InputDetails
    completion_tokens_details: OutputDetails


class ChatCompletionView(BaseModel):
    """A chat completion in OpenAI's format. `aico` says how the answer came about."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str = Field(description="The model that answered.")
    choices: list[ChoiceView]
    usage: UsageView
    service_tier: str | None
    system_fingerprint: str | None
    aico: dict[str, Any]
