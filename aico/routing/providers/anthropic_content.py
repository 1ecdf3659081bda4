"""A conversation and its tools in the words of Anthropic's messages."""

import re
from itertools import groupby
from typing import Any

from aico.core.chat import ChatRequest, ImagePart, Message, Role, TextPart, Tool, ToolCall, ToolChoice
from aico.routing.models import Capability, Model
from aico.routing.providers.images import inline_image
from aico.routing.providers.wire import json_object, present

_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")  # which other providers' ids may have


def messages_json(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Everything but the system's messages. What several tools returned is one message of the user's."""
    spoken = (message for message in messages if message.role is not Role.SYSTEM)
    turns: list[dict[str, Any]] = []
    for returned, group in groupby(spoken, key=lambda message: message.role is Role.TOOL):
        if returned:
            turns.append({"role": "user", "content": [_result(message) for message in group]})
        else:
            turns += [{"role": message.role.value, "content": _content(message)} for message in group]
    return turns


def tool_fields(request: ChatRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    return present(tools=[_tool(tool) for tool in request.tools], tool_choice=_choice(request))


def output_config(request: ChatRequest, model: Model) -> dict[str, Any] | None:
    schema = request.json_schema if request.response_format == "json_schema" else None
    effort = _EFFORTS.get(request.reasoning_effort or "") if model.can(Capability.EFFORT) else None
    form = {"type": "json_schema", "schema": dict(schema.schema_)} if schema is not None else None
    return present(effort=effort, format=form) or None


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str) and not message.tool_calls:
        return message.content
    return [*_blocks(message), *(_use(call) for call in message.tool_calls)]


def _blocks(message: Message) -> list[dict[str, Any]]:
    """Text and pictures; a block of no text is refused."""
    parts = (TextPart(text=message.content),) if isinstance(message.content, str) else message.content
    return [
        _image(part) if isinstance(part, ImagePart) else {"type": "text", "text": part.text}
        for part in parts
        if isinstance(part, ImagePart) or part.text
    ]


def _image(part: ImagePart) -> dict[str, Any]:
    inline = inline_image(part.url)
    if inline is None:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    return {"type": "image", "source": {"type": "base64", "media_type": inline.media_type, "data": inline.data}}


def _use(call: ToolCall) -> dict[str, Any]:
    """Models may write arguments that are no JSON object, and here nothing else can be said."""
    arguments = json_object(call.arguments)
    spoken = arguments if arguments is not None else {"arguments": call.arguments}
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": spoken}


def _result(message: Message) -> dict[str, Any]:
    content = message.content if isinstance(message.content, str) else _blocks(message)
    return {"type": "tool_result", "tool_use_id": _id(message.tool_call_id or ""), "content": content}


def _id(call: str) -> str:
    return _NOT_IN_AN_ID.sub("_", call)


def _tool(tool: Tool) -> dict[str, Any]:
    schema = dict(tool.parameters) if tool.parameters is not None else {"type": "object", "properties": {}}
    return present(name=tool.name, description=tool.description, input_schema=schema, strict=tool.strict or None)


def _choice(request: ChatRequest) -> dict[str, Any] | None:
    choice = request.tool_choice
    if choice is not None and choice.mode == "none":
        return {"type": "none"}
    one_at_a_time = True if request.parallel_tool_calls is False else None
    if choice is None and one_at_a_time is None:
        return None
    chosen = choice or ToolChoice()
    kind = {"auto": "auto", "required": "any", "one": "tool"}[chosen.mode]
    name = chosen.name if chosen.mode == "one" else None
    return present(type=kind, name=name, disable_parallel_tool_use=one_at_a_time)
