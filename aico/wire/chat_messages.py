"""Messages of OpenAI's chat completions, read into ours."""

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aico.core.chat import ImagePart, Message, Part, Role, TextPart, ToolCall
from aico.core.inputs import Text

MAX_MESSAGES = 2000
_Name = Annotated[Text, Field(min_length=1, max_length=64)]
CallId = Annotated[Text, Field(min_length=1, max_length=256)]
PictureUrl = Annotated[
    Text,
    Field(pattern=r"^(?:https?://\S+|data:image/(?:png|jpeg|jpg|gif|webp);base64,[A-Za-z0-9+/]+={0,2})$"),
]


class Strict(BaseModel):
    """What is not known here is refused: ignoring it would give another answer than the one that was asked for."""

    model_config = ConfigDict(extra="forbid")


class TextContent(Strict):
    type: Literal["text"]
    text: Text

    def part(self) -> Part:
        return TextPart(text=self.text)


class RefusalContent(Strict):
    type: Literal["refusal"]
    refusal: Text

    def part(self) -> Part:
        return TextPart(text=self.refusal)


class ImageUrl(Strict):
    url: PictureUrl
    detail: Literal["auto", "low", "high"] | None = None


class ImageContent(Strict):
    type: Literal["image_url"]
    image_url: ImageUrl

    def part(self) -> Part:
        return ImagePart(url=self.image_url.url, detail=self.image_url.detail)


UserContent = Annotated[TextContent | ImageContent, Field(discriminator="type")]
AssistantContent = Annotated[TextContent | RefusalContent, Field(discriminator="type")]


class SystemMessage(Strict):
    role: Literal["system", "developer"]
    content: Text | Annotated[list[TextContent], Field(min_length=1)]
    name: _Name | None = None

    def message(self) -> Message:
        return Message(role=Role.SYSTEM, content=content_of(self.content), name=self.name)


class UserMessage(Strict):
    role: Literal["user"]
    content: Text | Annotated[list[UserContent], Field(min_length=1)]
    name: _Name | None = None

    def message(self) -> Message:
        return Message(role=Role.USER, content=content_of(self.content), name=self.name)


class Echo(BaseModel):
    """What an answer held: clients send it back with fields of their own, which no model reads."""

    model_config = ConfigDict(extra="ignore")


class CalledFunction(Echo):
    name: Annotated[Text, Field(min_length=1, max_length=128)]
    arguments: Text


class CalledTool(Echo):
    id: CallId
    type: Literal["function"] = "function"
    function: CalledFunction

    def call(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.function.name, arguments=self.function.arguments)


class AssistantMessage(Echo):
    role: Literal["assistant"]
    content: Text | Annotated[list[AssistantContent], Field(min_length=1)] | None = None
    refusal: Text | None = None
    tool_calls: Annotated[list[CalledTool], Field(min_length=1, max_length=128)] | None = None
    name: _Name | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and self.refusal is None and self.tool_calls is None:
            raise ValueError("an assistant's message needs `content` or `tool_calls`")
        return self

    def message(self) -> Message:
        said = self.content if self.content is not None else self.refusal or ""
        calls = tuple(tool.call() for tool in self.tool_calls or ())
        return Message(role=Role.ASSISTANT, content=content_of(said), tool_calls=calls, name=self.name)


class ToolMessage(Strict):
    role: Literal["tool"]
    content: Text | Annotated[list[TextContent], Field(min_length=1)]
    tool_call_id: CallId

    def message(self) -> Message:
        return Message(role=Role.TOOL, content=content_of(self.content), tool_call_id=self.tool_call_id)


AnyMessage = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage,
    Field(discriminator="role"),
]


class Given(Protocol):
    """A piece of a message's content, as some format writes it."""

    def part(self) -> Part: ...


def content_of(content: str | Sequence[Given]) -> str | tuple[Part, ...]:
    """Text that comes in pieces is text: both ways of writing it are one request."""
    if isinstance(content, str):
        return content
    parts = tuple(one.part() for one in content)
    if all(isinstance(part, TextPart) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, TextPart))
    return parts


def unanswerable_result(messages: list[Message]) -> int | None:
    """The place of the first tool message that answers no call made before it."""
    called: set[str] = set()
    for index, message in enumerate(messages):
        called |= {call.id for call in message.tool_calls}
        if message.role is Role.TOOL and message.tool_call_id not in called:
            return index
    return None
