"""Conversations as logs write them, read into ours. Nothing is refused that can be compared with its like."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aico.audit.calls import NotReadable
from aico.audit.lenient import Json, name_of, object_of
from aico.core.canonical import canonical_json
from aico.core.chat import ImagePart, Message, Part, Role, TextPart, ToolCall

_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("system", "developer"), Role.SYSTEM),
    **dict.fromkeys(("user", "human"), Role.USER),
    **dict.fromkeys(("assistant", "ai", "model"), Role.ASSISTANT),
    **dict.fromkeys(("tool", "function"), Role.TOOL),
}
_TEXTS = {"text", "input_text", "output_text"}
_PICTURES = {"image_url", "input_image", "image"}
_REDACTED = "redacted-by-litellm"


def read_messages(value: Any) -> tuple[Message, ...]:
    """Of a list of messages, a single one, or a bare prompt. Raises NotReadable where there is none."""
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    elif isinstance(value, Mapping):
        value = [value] if "role" in value else [{"role": "user", "content": canonical_json(value).decode()}]
    if not isinstance(value, Sequence) or not value:
        raise NotReadable("there are no messages")
    found = tuple(_message(one, f"messages.{index}") for index, one in enumerate(value))
    if any(message.text == _REDACTED for message in found):
        raise NotReadable("the messages were redacted before they were logged")
    if not any(message.text.strip() or message.images or message.tool_calls for message in found):
        raise NotReadable("the messages are empty")
    return found


def _message(one: Any, where: str) -> Message:
    if not isinstance(one, Mapping):
        raise NotReadable(f"{where} is no message")
    if one.get("type") == "function_call_output":
        return Message(role=Role.TOOL, content=_words(one.get("output")), tool_call_id=name_of(one.get("call_id")))
    if one.get("type") == "function_call":
        return Message(role=Role.ASSISTANT, tool_calls=(_call({**one, "id": one.get("call_id")}),))
    said = one.get("role")
    role = _ROLES.get(said.lower()) if isinstance(said, str) else None
    if role is None:
        raise NotReadable(f"{where} has no role that is known")
    calls = one.get("tool_calls")
    return Message(
        role=role,
        content=_content(one.get("content")),
        tool_calls=tuple(_call(call) for call in calls) if isinstance(calls, Sequence) else (),
        tool_call_id=name_of(one.get("tool_call_id")),
        name=name_of(one.get("name")),
    )


def _content(value: Any) -> str | tuple[Part, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return _words(value)
    parts = tuple(map(_part, value))
    if any(isinstance(part, ImagePart) for part in parts):
        return parts
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _part(value: Any) -> Part:
    """What is neither text nor a picture is kept as its JSON: equal pieces stay equal."""
    kind = name_of(value.get("type")) if isinstance(value, Mapping) else None
    if kind in _TEXTS and isinstance(value.get("text"), str):
        return TextPart(text=value["text"])
    if kind in _PICTURES:
        return ImagePart(url=canonical_json(value.get("image_url") or value.get("source")).decode())
    return TextPart(text=_words(value))


def _call(value: Any) -> ToolCall:
    call = object_of(value)
    function = object_of(call.get("function")) or call
    return ToolCall(
        id=name_of(call.get("id")) or "",
        name=name_of(function.get("name")) or "",
        arguments=_words(function.get("arguments")),
    )


def _words(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical_json(value).decode()


def read_answer(body: Any) -> str | None:
    """The words of a completion, a response, a message or a plain text; calls of tools as their JSON."""
    if isinstance(body, str) or body is None:
        return body
    return "".join(_pieces(body)) or None if isinstance(body, Mapping) else canonical_json(body).decode()


def _pieces(body: Json) -> Iterator[str]:
    choices = body.get("choices")
    if isinstance(choices, Sequence) and choices and isinstance(choices[0], Mapping):
        yield from _pieces(object_of(choices[0].get("message")) or choices[0])
        return
    for name in ("content", "text", "output", "tool_calls"):
        value = body.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, Sequence):
            yield from (_text_or_json(one) for one in value)


def _text_or_json(value: Any) -> str:
    if isinstance(value, Mapping) and value.get("type") == "message":
        return "".join(_pieces(value))
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return str(value["text"])
    return _words(value)
