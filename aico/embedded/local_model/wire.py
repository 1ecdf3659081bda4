"""The part of the OpenAI chat completions format that the local model server speaks."""

import time
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from aico.core.chat import ImagePart, JsonSchema, Message, Role, TextPart, Tool, ToolCall, ToolChoice
from aico.core.errors import AicoError, InvalidInput
from aico.embedded.local_model.engine import DEFAULT_MAX_TOKENS, Finished, Prompt

_ERROR_TYPES = {429: "rate_limit_error"}
_SERVER_ERROR = 500


class WireText(BaseModel):
    type: Literal["text"]
    text: str


class WireImageUrl(BaseModel):
    url: str
    detail: Literal["auto", "low", "high"] | None = None


class WireImage(BaseModel):
    type: Literal["image_url"]
    image_url: WireImageUrl


class WireFunction(BaseModel):
    name: str
    arguments: str = "{}"


class WireCall(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: WireFunction


class WireMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    tool_calls: list[WireCall] | None = None
    tool_call_id: str | None = None
    content: Annotated[str | list[WireText | WireImage] | None, Field(validate_default=True)] = None

    @field_validator("content")
    @classmethod
    def _says_something(cls, content: Any, info: ValidationInfo) -> Any:
        if content is None and not info.data.get("tool_calls"):
            raise PydanticCustomError("missing", "Field required")
        return content

    @property
    def beyond_text(self) -> bool:
        return self.role == "tool" or bool(self.tool_calls) or bool(self.to_message().images)

    def to_message(self) -> Message:
        return Message(
            role=Role.SYSTEM if self.role == "developer" else Role(self.role),
            content=self._content(),
            tool_calls=tuple(
                ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
                for call in self.tool_calls or ()
            ),
            tool_call_id=self.tool_call_id,
        )

    def _content(self) -> str | tuple[TextPart | ImagePart, ...]:
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return tuple(
            TextPart(text=part.text)
            if isinstance(part, WireText)
            else ImagePart(url=part.image_url.url, detail=part.image_url.detail)
            for part in self.content
        )


class StreamOptions(BaseModel):
    include_usage: bool = False


class ResponseFormat(BaseModel):
    type: Literal["text", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_a_schema(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("json_schema is missing")
        return self


class WireTool(BaseModel):
    type: Literal["function"]
    function: Tool


class WireToolName(BaseModel):
    name: str


class WireToolChoice(BaseModel):
    type: Literal["function"]
    function: WireToolName


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
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    tools: list[WireTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | WireToolChoice | None = None
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _knows_the_chosen_tool(self) -> Self:
        names = {tool.function.name for tool in self.tools or ()}
        if isinstance(self.tool_choice, WireToolChoice) and self.tool_choice.function.name not in names:
            raise ValueError(f"tool_choice names {self.tool_choice.function.name!r}, which is not among the tools")
        return self

    def to_prompt(self) -> Prompt:
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Prompt(
            messages=tuple(message.to_message() for message in self.messages),
            max_tokens=self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS,
            temperature=self.temperature or 0.0,
            top_p=self.top_p or 1.0,
            stop=stops,
            seed=self.seed,
            tools=tuple(tool.function for tool in self.tools or ()),
            tool_choice=self._tool_choice(),
            json_schema=self.response_format.json_schema if self.response_format is not None else None,
        )

    def require_plain(self) -> None:
        """Raises InvalidInput for what only a structured engine honours."""
        asked = {
            "n": self.choices > 1,
            "tools": bool(self.tools),
            "response_format": self.response_format is not None and self.response_format.type != "text",
            "messages": any(message.beyond_text for message in self.messages),
        }
        for field, wanted in asked.items():
            if wanted:
                raise InvalidInput(f"{field}: this model only answers text with one text", param=field)

    def _tool_choice(self) -> ToolChoice | None:
        if isinstance(self.tool_choice, WireToolChoice):
            return ToolChoice(mode="one", name=self.tool_choice.function.name)
        return ToolChoice(mode=self.tool_choice) if self.tool_choice is not None else None

    @property
    def choices(self) -> int:
        return self.n or 1

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class Said:
    """One choice as it grows."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.calls: list[ToolCall] = []
        self.finished: Finished | None = None

    def choice_json(self, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text), "refusal": None}
        if self.calls:
            message |= {"content": None, "tool_calls": [call_json(call) for call in self.calls]}
        reason = self.finished.reason.value if self.finished is not None else None
        return {"index": index, "message": message, "finish_reason": reason, "logprobs": None}


def usage_json(finished: list[Finished]) -> dict[str, int]:
    """Of all choices together: the prompt counts once."""
    prompt, completion = finished[0].prompt_tokens, sum(one.completion_tokens for one in finished)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def call_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def completion_json(completion_id: str, model: str, choices: list[Said]) -> dict[str, Any]:
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [said.choice_json(index) for index, said in enumerate(choices)],
        "usage": usage_json([said.finished for said in choices if said.finished is not None]),
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

    def delta(self, choice: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        told = {"index": choice, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._shared, "choices": [told], **self._no_usage}

    def call(self, choice: int, call: ToolCall) -> list[dict[str, Any]]:
        """The call's name, then its arguments in two pieces."""
        opened = {"index": 0, **call_json(call.model_copy(update={"arguments": ""}))}
        middle = len(call.arguments) // 2
        pieces = (call.arguments[:middle], call.arguments[middle:])
        rest = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
        return [self.delta(choice, {"tool_calls": [part]}) for part in (opened, *rest)]

    def usage(self, finished: list[Finished]) -> dict[str, Any]:
        return {**self._shared, "choices": [], "usage": usage_json(finished)}


def model_json(model_id: str, owned_by: str, created: int) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": created, "owned_by": owned_by}


def error_json(error: AicoError) -> dict[str, Any]:
    fallback = "server_error" if error.status >= _SERVER_ERROR else "invalid_request_error"
    kind = _ERROR_TYPES.get(error.status, fallback)
    return {"error": {"message": error.detail, "type": kind, "param": error.param, "code": error.code}}
