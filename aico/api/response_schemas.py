"""Responses as the OpenAPI document shows them; `aico.wire.response_answer` and `response_items` write them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from aico.core.chat import AUTO_MODEL
from aico.core.inputs import ModelName
from aico.wire.response_request import Question


class ResponseErrorView(BaseModel):
    code: str
    message: str


class IncompleteView(BaseModel):
    reason: Literal["max_output_tokens", "content_filter"]


class InputTokensView(BaseModel):
    cached_tokens: int
    cache_write_tokens: int


class OutputTokensView(BaseModel):
    reasoning_tokens: int


class ResponseUsageView(BaseModel):
    """Tokens of the call that made the answer; one that is served again costs none of them."""

    input_tokens: int
    input_tokens_details: InputTokensView
    output_tokens: int
    output_tokens_details: OutputTokensView
    total_tokens: int


class ResponseView(BaseModel):
    """A response in OpenAI's format. `aico` says how the answer came about."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    background: bool
    error: ResponseErrorView | None
    incomplete_details: IncompleteView | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str = Field(description="The model that answered.")
    output: list[dict[str, Any]] = Field(description="A `message`, `function_call` items, or both.")
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: dict[str, Any]
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float | None
    truncation: str
    usage: ResponseUsageView | None
    aico: dict[str, Any]


class DeletedView(BaseModel):
    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class ItemPage(BaseModel):
    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, items: list[dict[str, Any]], limit: int) -> "ItemPage":
        """The first `limit` of them."""
        shown = items[:limit]
        return cls(
            data=shown,
            first_id=shown[0]["id"] if shown else None,
            last_id=shown[-1]["id"] if shown else None,
            has_more=len(items) > limit,
        )


class CountRequest(Question):
    """What the tokens are to be counted of."""

    model: ModelName = AUTO_MODEL


class CountView(BaseModel):
    object: Literal["response.input_tokens"] = "response.input_tokens"
    input_tokens: int
