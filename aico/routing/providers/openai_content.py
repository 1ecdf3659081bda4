"""A conversation and its tools in the words of OpenAI's chat completions."""

from typing import Any

from aico.core.chat import ChatRequest, ImagePart, Message, Part, Tool, ToolCall, ToolChoice
from aico.routing.providers.wire import present


def message_json(message: Message) -> dict[str, Any]:
    content = message.content
    return present(
        role=message.role.value,
        content=content if isinstance(content, str) else [_part(part) for part in content],
        tool_calls=[_call(call) for call in message.tool_calls] or None,
        tool_call_id=message.tool_call_id,
        name=message.name,
    )


def tool_fields(request: ChatRequest) -> dict[str, Any]:
    """Without tools the fields about them are refused, so they are left out together."""
    if not request.tools:
        return {}
    return present(
        tools=[_tool(tool) for tool in request.tools],
        tool_choice=_choice(request.tool_choice) if request.tool_choice is not None else None,
        parallel_tool_calls=request.parallel_tool_calls,
    )


def response_format(request: ChatRequest) -> dict[str, Any] | None:
    if request.response_format == "json_schema" and request.json_schema is not None:
        schema = request.json_schema
        shape = present(
            name=schema.name, description=schema.description, schema=dict(schema.schema_), strict=schema.strict
        )
        return {"type": "json_schema", "json_schema": shape}
    return {"type": "json_object"} if request.response_format == "json_object" else None


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": present(url=part.url, detail=part.detail)}
    return {"type": "text", "text": part.text}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tool(tool: Tool) -> dict[str, Any]:
    parameters = dict(tool.parameters) if tool.parameters is not None else None
    function = present(name=tool.name, description=tool.description, parameters=parameters, strict=tool.strict)
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "one":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode
