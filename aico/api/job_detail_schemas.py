"""What goes over the wire about one job beside its state: what was asked, and what was tried for it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from aico.core.attempts import AttemptKind, AttemptOutcome, KeySource
from aico.core.chat import ChatRequest, Message, Role, ToolCall
from aico.store.ledger import Tried


class AskedMessage(BaseModel):
    """One turn of the conversation. Pictures are counted, not repeated."""

    role: Role
    text: str
    images: int
    tool_calls: tuple[ToolCall, ...]
    tool_call_id: Annotated[str | None, Field(description="Which call a tool's message answers.")]
    name: str | None

    @classmethod
    def of(cls, message: Message) -> Self:
        return cls(
            role=message.role,
            text=message.text,
            images=len(message.images),
            tool_calls=message.tool_calls,
            tool_call_id=message.tool_call_id,
            name=message.name,
        )


class AskedView(BaseModel):
    """What a job asks, as it is stored: without personal data where that is replaced."""

    model: str
    messages: list[AskedMessage]
    parameters: Annotated[dict[str, Any], Field(description="All else that was given, as it was given.")]

    @classmethod
    def of(cls, request: ChatRequest) -> Self:
        return cls(
            model=request.model,
            messages=[AskedMessage.of(message) for message in request.messages],
            parameters=request.model_dump(mode="json", exclude_defaults=True, exclude={"model", "messages"}),
        )


class JobAttemptView(BaseModel):
    """One attempt to answer: a call of a provider, or an answer that was kept."""

    at: Annotated[datetime, Field(description="Its beginning.")]
    kind: Annotated[
        AttemptKind, Field(description="`shadow` and `judge` are comparisons, of which nobody is given the answer.")
    ]
    outcome: AttemptOutcome
    provider: str
    model: str
    latency_ms: int
    input_tokens: int
    cached_tokens: Annotated[int, Field(description="Of the input, read from the provider's cache.")]
    output_tokens: int
    cost_cents: Annotated[Decimal | None, Field(description="US cents. Null: no price is known.")]
    http_status: int | None
    error: str | None
    similarity: float | None
    batch: Annotated[bool, Field(description="In a batch of the provider's, at its price.")]
    key_source: KeySource

    @classmethod
    def of(cls, tried: Tried) -> Self:
        return cls.model_validate(tried, from_attributes=True)


class JobAttempts(BaseModel):
    """The earliest first."""

    data: list[JobAttemptView]
    has_more: Annotated[bool, Field(description="There are more than are shown.")]
