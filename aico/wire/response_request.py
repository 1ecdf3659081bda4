"""`POST /v1/responses`: OpenAI's body, read into a submission."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from aico.core.chat import ChatRequest, Message, Role, Tool, ToolChoice
from aico.core.errors import InvalidInput
from aico.core.inputs import ControlFields, Metadata, ModelName, Text
from aico.core.jobs import JobClass, Surface
from aico.core.submission import Submission
from aico.wire.chat_messages import MAX_MESSAGES, Strict, unanswerable_result
from aico.wire.chat_request import submission_of
from aico.wire.response_items import Input, messages_of, unanswered_call
from aico.wire.tools import FunctionDefinition, JsonObjectFormat, SchemaDefinition, TextFormat, ToolName

_Short = Annotated[Text, Field(max_length=512)]
_LOGPROBS = "message.output_text.logprobs"
# How fields of a question are called here.
FIELDS = {
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "response_format": "text.format",
    "logprobs": "include",
    "reasoning_effort": "reasoning.effort",
}
# What is shown again as it was given; the rest of the request has its place in the job.
_SHOWN = {
    *("background", "instructions", "max_output_tokens", "previous_response_id", "prompt_cache_key"),
    *("prompt_cache_retention", "safety_identifier", "temperature", "top_logprobs", "top_p", "user"),
}
_HINTS = {"user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"}


class FlatFunctionTool(FunctionDefinition):
    """A function. The tools that OpenAI runs itself, such as web search, are not offered here."""

    type: Literal["function"]

    def tool(self) -> Tool:
        return Tool(**self.model_dump(exclude={"type"}))


class FlatChoice(Strict):
    type: Literal["function"]
    name: ToolName


class FlatSchemaFormat(SchemaDefinition):
    type: Literal["json_schema"]


class TextOptions(Strict):
    format: Annotated[TextFormat | JsonObjectFormat | FlatSchemaFormat, Field(discriminator="type")] = TextFormat(
        type="text"
    )
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningOptions(Strict):
    """`summary` is accepted, and none is made."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ResponseStreamOptions(Strict):
    include_obfuscation: bool | None = None  # their padding against eavesdroppers; accepted, and not added


class Question(Strict):
    """What is asked, and the tools and formats of the answer: all that counts as input tokens."""

    model: ModelName
    input: Input
    instructions: Text | None = None
    previous_response_id: Annotated[Text, Field(max_length=100)] | None = None
    tools: Annotated[list[FlatFunctionTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | FlatChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None  # nothing is dropped: what does not fit is refused

    @model_validator(mode="after")
    def _tools_fit_together(self) -> Self:
        if not self.tools and (self.tool_choice == "required" or isinstance(self.tool_choice, FlatChoice)):
            raise ValueError("`tool_choice` needs `tools`")
        return self

    def chat(self, earlier: Sequence[Message] = ()) -> ChatRequest:
        """`earlier` is the conversation that this one goes on from. Raises InvalidInput where calls and results differ.

        Instructions come first, whatever went before: those of an earlier response are not among `earlier`.
        """
        messages = [*self._instructions(), *earlier, *messages_of(self.input)]
        _check(messages)
        form = self.text or TextOptions()
        schema = form.format.json_schema() if isinstance(form.format, FlatSchemaFormat) else None
        return ChatRequest(
            messages=tuple(messages),
            model=self.model,
            response_format=form.format.type,
            json_schema=schema,
            tools=tuple(tool.tool() for tool in self.tools or ()),
            tool_choice=self._tool_choice(),
            parallel_tool_calls=self.parallel_tool_calls,
            reasoning_effort=self.reasoning.effort if self.reasoning else None,
            verbosity=form.verbosity,
        )

    def _instructions(self) -> list[Message]:
        return [] if self.instructions is None else [Message(role=Role.SYSTEM, content=self.instructions)]

    def _tool_choice(self) -> ToolChoice | None:
        if self.tool_choice is None or isinstance(self.tool_choice, str):
            return None if self.tool_choice is None else ToolChoice(mode=self.tool_choice)
        return ToolChoice(mode="one", name=self.tool_choice.name)


class ResponseRequest(Question):
    """What OpenAI documents, less its own tools, stored prompts and conversations.

    `aico` holds the controls of this service.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "auto", "input": "What does a task queue do?", "background": True}]}
    )

    include: (
        list[Literal["message.output_text.logprobs", "message.input_image.image_url", "reasoning.encrypted_content"]]
        | None
    ) = None
    max_output_tokens: Annotated[int, Field(ge=16, le=1_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    user: _Short | None = None
    safety_identifier: _Short | None = None
    prompt_cache_key: _Short | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    aico: ControlFields | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.background and self.store is False:
            raise ValueError("`background` needs `store`: nobody could ask for the answer")
        if self.stream_options is not None and not self.stream:
            raise ValueError("`stream_options` needs `stream`: true")
        return self

    def submission(self, controls: ControlFields, earlier: Sequence[Message] = ()) -> Submission:
        """Raises InvalidInput as `chat` does. A background response is of class `standard` unless the caller says."""
        if self.background and "job_class" not in controls.model_fields_set:
            controls = controls.model_copy(update={"job_class": JobClass.STANDARD})
        return submission_of(
            self.chat(earlier),
            controls,
            metadata=self.metadata or {},
            surface=Surface.RESPONSE,
            streams=bool(self.stream),
            echo=self._echo(first=len(self._instructions()) + len(earlier)),
        )

    def chat(self, earlier: Sequence[Message] = ()) -> ChatRequest:
        settings = {
            "max_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "logprobs": self.top_logprobs is not None or _LOGPROBS in (self.include or ()),
            "top_logprobs": self.top_logprobs,
            "hints": self.model_dump(include=_HINTS, exclude_none=True),
        }
        return super().chat(earlier).model_copy(update=settings)

    def _echo(self, first: int) -> dict[str, Any]:
        """What the response shows again. `first` is the message at which its own input begins."""
        choice = self.tool_choice or "auto"
        return {
            **self.model_dump(include=_SHOWN, exclude_none=True),
            "store": self.store is not False,
            "tools": [tool.model_dump() for tool in self.tools or ()],
            "tool_choice": choice if isinstance(choice, str) else choice.model_dump(),
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "text": (self.text or TextOptions()).model_dump(by_alias=True, exclude_none=True),
            "reasoning": {"effort": self.reasoning.effort if self.reasoning else None, "summary": None},
            "truncation": self.truncation or "disabled",
            "first": first,
        }


def _check(messages: Sequence[Message]) -> None:
    if len(messages) > MAX_MESSAGES:
        said = f"the whole conversation has {len(messages)} messages; at most {MAX_MESSAGES} are accepted"
        raise InvalidInput(said, param="input")
    stray = unanswerable_result(list(messages))
    if stray is not None:
        call = messages[stray].tool_call_id
        raise InvalidInput(f"no function call was made with the call_id {call!r}", param="input")
    call = unanswered_call(messages)
    if call is not None:
        raise InvalidInput(f"no output is given for the function call {call!r}", param="input")
