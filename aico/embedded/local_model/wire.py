"""The part of the OpenAI chat completions format that the local model server speaks."""

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from aico.core.chat import Message, Role
from aico.core.errors import AicoError
from aico.embedded.local_model.engine import DEFAULT_MAX_TOKENS, Finished, Prompt

_ERROR_TYPES = {429: "rate_limit_error"}
_SERVER_ERROR = 500


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class WireMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def to_message(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message(role=Role.SYSTEM if self.role == "developer" else Role(self.role), content=text)


class StreamOptions(BaseModel):
    include_usage: bool = False


class ResponseFormat(BaseModel):
    type: Literal["text"]


StopString = Annotated[str, Field(min_length=1)]


class ChatCompletionRequest(BaseModel):
    """Fields that would change the answer and that this server cannot honour are refused, others are ignored."""

    model: str
    messages: Annotated[list[WireMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stop: StopString | Annotated[list[StopString], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    n: Literal[1] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    response_format: ResponseFormat | None = None

    def to_prompt(self) -> Prompt:
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Prompt(
            messages=tuple(message.to_message() for message in self.messages),
            max_tokens=self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS,
            temperature=self.temperature or 0.0,
            top_p=self.top_p or 1.0,
            stop=stops,
            seed=self.seed,
        )

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


def usage_json(finished: Finished) -> dict[str, int]:
    return {
        "prompt_tokens": finished.prompt_tokens,
        "completion_tokens": finished.completion_tokens,
        "total_tokens": finished.prompt_tokens + finished.completion_tokens,
    }


def completion_json(completion_id: str, model: str, text: str, finished: Finished) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": finished.reason.value, "logprobs": None}
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage_json(finished),
    }


class ChunkWriter:
    """The chunks of one streamed completion, which share id, time and model."""

    def __init__(self, completion_id: str, model: str, *, wants_usage: bool) -> None:
        self._shared = {
            "id": completion_id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._no_usage = {"usage": None} if wants_usage else {}

    def delta(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._shared, "choices": [choice], **self._no_usage}

    def usage(self, finished: Finished) -> dict[str, Any]:
        return {**self._shared, "choices": [], "usage": usage_json(finished)}


def model_json(model_id: str, owned_by: str, created: int) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": created, "owned_by": owned_by}


def error_json(error: AicoError) -> dict[str, Any]:
    fallback = "server_error" if error.status >= _SERVER_ERROR else "invalid_request_error"
    kind = _ERROR_TYPES.get(error.status, fallback)
    return {"error": {"message": error.detail, "type": kind, "param": error.param, "code": error.code}}
