"""`POST /v1/chat/completions`: OpenAI's body, read into a submission."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from aico.core.chat import ChatRequest
from aico.core.errors import InvalidInput
from aico.core.inputs import ControlFields, Metadata, ModelName, Text
from aico.core.jobs import Surface
from aico.core.submission import Submission, caller_user
from aico.wire.chat_messages import MAX_MESSAGES, AnyMessage, Strict, unanswerable_result
from aico.wire.tools import AnswerFormat, FunctionTool, JsonSchemaFormat, NamedChoice, WhichTool, tool_choice

_Token = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
_Bias = Annotated[float, Field(ge=-100, le=100)]
_Short = Annotated[Text, Field(max_length=512)]


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool | None = None  # their padding against eavesdroppers; accepted, and not added


class ChatCompletionRequest(Strict):
    """What OpenAI documents, less audio, web search and predicted output. `aico` holds the controls of this service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "auto", "messages": [{"role": "user", "content": "What does a task queue do?"}]}]
        }
    )

    model: ModelName
    messages: Annotated[list[AnyMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: (
        dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]] | None
    ) = None
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: AnswerFormat | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=128)] | None = None
    tool_choice: WhichTool | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    modalities: list[Literal["text"]] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Metadata | None = None
    store: bool | None = None  # every answer is kept for a while; accepted for their clients' sake
    user: _Short | None = None
    safety_identifier: _Short | None = None
    prompt_cache_key: _Short | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    aico: ControlFields | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("`top_logprobs` needs `logprobs`: true")
        if self.stream_options is not None and not self.stream:
            raise ValueError("`stream_options` needs `stream`: true")
        if not self.tools and (self.tool_choice == "required" or isinstance(self.tool_choice, NamedChoice)):
            raise ValueError("`tool_choice` needs `tools`")
        return self

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    def submission(self, controls: ControlFields) -> Submission:
        """Raises InvalidInput where a tool's result answers no call."""
        return submission_of(
            self.chat(),
            controls,
            metadata=self.metadata or {},
            surface=Surface.CHAT,
            streams=bool(self.stream),
        )

    def chat(self) -> ChatRequest:
        messages = [one.message() for one in self.messages]
        stray = unanswerable_result(messages)
        if stray is not None:
            raise InvalidInput("a tool message answers a call that is made before it", param=f"messages.{stray}")
        schema = self.response_format.json_schema if isinstance(self.response_format, JsonSchemaFormat) else None
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return ChatRequest(
            messages=tuple(messages),
            model=self.model,
            max_tokens=self.max_completion_tokens or self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            logit_bias=self.logit_bias or {},
            stop=tuple(stop),
            seed=self.seed,
            n=self.n or 1,
            logprobs=bool(self.logprobs),
            top_logprobs=self.top_logprobs,
            response_format=self.response_format.type if self.response_format else "text",
            json_schema=None if schema is None else schema.json_schema(),
            tools=tuple(tool.tool() for tool in self.tools or ()),
            tool_choice=tool_choice(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls,
            reasoning_effort=self.reasoning_effort,
            verbosity=self.verbosity,
            hints=self._hints(),
        )

    def _hints(self) -> dict[str, Any]:
        names = {"user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"}
        return self.model_dump(include=names, exclude_none=True)


def submission_of(
    chat: ChatRequest,
    controls: ControlFields,
    *,
    metadata: dict[str, str],
    surface: Surface,
    streams: bool,
    echo: dict[str, Any] | None = None,
) -> Submission:
    return Submission(
        chat=chat,
        job_class=controls.job_class,
        cache=controls.cache,
        redact=controls.pii is not None,
        controls=controls.controls(),
        metadata=metadata,
        tags=tuple(controls.tags),
        deadline=controls.deadline,
        completion_window=controls.completion_window,
        priority=controls.priority,
        max_retries=controls.max_retries,
        surface=surface,
        echo=echo or {},
        streams=streams,
        user=caller_user(chat.hints, metadata),
    )
