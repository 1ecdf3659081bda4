"""Items of OpenAI's Responses: what goes in, read into messages, and messages shown as items again."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Discriminator, Field, Tag

from aico.core.chat import ImagePart, Message, Part, Role, TextPart, ToolCall
from aico.core.inputs import Text
from aico.wire.chat_messages import CallId, PictureUrl, RefusalContent, Strict, content_of
from aico.wire.ids import Prefix, public_id

Json = dict[str, Any]

MAX_ITEMS = 2000
_ItemId = Annotated[Text, Field(max_length=256)]
_Status = Literal["in_progress", "completed", "incomplete"]


class InputText(Strict):
    type: Literal["input_text"]
    text: Text

    def part(self) -> Part:
        return TextPart(text=self.text)


class InputImage(Strict):
    type: Literal["input_image"]
    image_url: PictureUrl
    detail: Literal["auto", "low", "high"] | None = None
    file_id: None = None

    def part(self) -> Part:
        return ImagePart(url=self.image_url, detail=self.detail)


class OutputText(Strict):
    type: Literal["output_text"]
    text: Text
    # What clients send back as they received it, and what no model reads.
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None
    parsed: Any = None

    def part(self) -> Part:
        return TextPart(text=self.text)


def _one_text(kind: str) -> BeforeValidator:
    """Text alone stands for a list of one piece of this kind, so that each fault has one place."""

    def listed(value: object) -> object:
        return [{"type": kind, "text": value}] if isinstance(value, str) else value

    return BeforeValidator(listed, json_schema_input_type=str | list[dict[str, Any]])


_UserPart = Annotated[InputText | InputImage, Field(discriminator="type")]
_AssistantPart = Annotated[OutputText | InputText | RefusalContent, Field(discriminator="type")]
_UserContent = Annotated[list[_UserPart], Field(min_length=1), _one_text("input_text")]
_PlainContent = Annotated[list[InputText], Field(min_length=1), _one_text("input_text")]
_AssistantContent = Annotated[list[_AssistantPart], _one_text("output_text")]


class _Message(Strict):
    type: Literal["message"] = "message"
    id: _ItemId | None = None
    status: _Status | None = None


class UserItem(_Message):
    role: Literal["user"]
    content: _UserContent

    def message(self) -> Message:
        return Message(role=Role.USER, content=content_of(self.content))


class SystemItem(_Message):
    role: Literal["system", "developer"]
    content: _PlainContent

    def message(self) -> Message:
        return Message(role=Role.SYSTEM, content=content_of(self.content))


class AssistantItem(_Message):
    role: Literal["assistant"]
    content: _AssistantContent
    phase: Literal["commentary", "final_answer"] | None = None

    def message(self) -> Message:
        return Message(role=Role.ASSISTANT, content=content_of(self.content))


class FunctionCallItem(Strict):
    type: Literal["function_call"]
    call_id: CallId
    name: Annotated[Text, Field(min_length=1, max_length=128)]
    arguments: Text
    id: _ItemId | None = None
    status: _Status | None = None

    def call(self) -> ToolCall:
        return ToolCall(id=self.call_id, name=self.name, arguments=self.arguments)


class FunctionOutputItem(Strict):
    type: Literal["function_call_output"]
    call_id: CallId
    output: _PlainContent
    id: _ItemId | None = None
    status: _Status | None = None

    def message(self) -> Message:
        return Message(role=Role.TOOL, content=content_of(self.output), tool_call_id=self.call_id)


def _kind(item: Any) -> str | None:
    """Of an item as it was sent, or as it was read."""
    sent = item if isinstance(item, dict) else vars(item) if isinstance(item, Strict) else {}
    kind, role = sent.get("type"), sent.get("role")
    if kind is None or kind == "message":
        return {"assistant": "assistant", "user": "user", "system": "system", "developer": "system"}.get(str(role))
    return kind if kind in ("function_call", "function_call_output") else None


Item = Annotated[
    Annotated[UserItem, Tag("user")]
    | Annotated[SystemItem, Tag("system")]
    | Annotated[AssistantItem, Tag("assistant")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionOutputItem, Tag("function_call_output")],
    Discriminator(
        _kind,
        custom_error_type="unknown_item",
        custom_error_message="an item is a message of a user, assistant, system or developer, a function_call or a"
        " function_call_output; send an item itself, not a reference to it",
    ),
]


def _one_item(value: object) -> object:
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


Input = Annotated[
    list[Item],
    Field(min_length=1, max_length=MAX_ITEMS),
    BeforeValidator(_one_item, json_schema_input_type=str | list[Item]),
]


def messages_of(items: Sequence[Item]) -> list[Message]:
    """Calls belong to the assistant's message before them, as all other formats have it."""
    messages: list[Message] = []
    for item in items:
        if not isinstance(item, FunctionCallItem):
            messages.append(item.message())
        elif messages and messages[-1].role is Role.ASSISTANT:
            calls = (*messages[-1].tool_calls, item.call())
            messages[-1] = messages[-1].model_copy(update={"tool_calls": calls})
        else:
            messages.append(Message(role=Role.ASSISTANT, tool_calls=(item.call(),)))
    return messages


def unanswered_call(messages: Sequence[Message]) -> str | None:
    """The id of a call whose result is missing."""
    answered = {message.tool_call_id for message in messages if message.role is Role.TOOL}
    made = (call.id for message in messages for call in message.tool_calls)
    return next((call for call in made if call not in answered), None)


def input_items(job: UUID, messages: Sequence[Message]) -> list[Json]:
    """The items that these messages came from, oldest first. Their ids are the same each time."""
    shown = [item for message in messages for item in _items_of(message)]
    return [{"id": f"{public_id(prefix, job)}_in{place}", **item} for place, (prefix, item) in enumerate(shown)]


def _items_of(message: Message) -> Iterator[tuple[Prefix, Json]]:
    if message.role is Role.TOOL:
        result = {"call_id": message.tool_call_id, "output": message.text, "status": "completed"}
        yield Prefix.FUNCTION_OUTPUT, {"type": "function_call_output", **result}
        return
    if message.content or not message.tool_calls:
        spoken = message.role is Role.ASSISTANT
        content = [output_text(message.text)] if spoken else list(_parts_of(message))
        head = {"type": "message", "role": message.role.value, "status": "completed"}
        yield Prefix.MESSAGE, {**head, "content": content}
    for call in message.tool_calls:
        yield Prefix.FUNCTION_CALL, function_call(call)


def output_text(text: str, logprobs: Sequence[Json] = ()) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}


def function_call(call: ToolCall, status: str = "completed") -> Json:
    made = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
    return {"type": "function_call", **made, "status": status}


def _parts_of(message: Message) -> Iterator[Json]:
    if isinstance(message.content, str):
        yield {"type": "input_text", "text": message.content}
        return
    for part in message.content:
        if isinstance(part, TextPart):
            yield {"type": "input_text", "text": part.text}
        else:
            yield {"type": "input_image", "image_url": part.url, "detail": part.detail or "auto", "file_id": None}
