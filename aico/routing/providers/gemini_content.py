"""A conversation and its tools in the words of Google's generateContent."""

import mimetypes
from collections.abc import Mapping
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from aico.core.chat import ChatRequest, ImagePart, Message, Role, TextPart, Tool, ToolCall
from aico.routing.models import Capability, Model
from aico.routing.providers.images import inline_image
from aico.routing.providers.wire import json_object, max_output_tokens, present

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "one": "ANY"}
# Thinking cannot be switched off at a level: the least of it comes nearest.
_LEVELS = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
# Models since 3 refuse a call of theirs that comes back without its signature, and callers have no place to keep one.
# Google gives this word to conversations that were not held with the model itself; older models ignore it.
_UNSIGNED = "skip_thought_signature_validator"


def contents_json(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Everything but the system's messages. A turn must return as many results as the turn before it made calls."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    spoken = (message for message in messages if message.role is not Role.SYSTEM)
    contents: list[dict[str, Any]] = []
    for returned, group in groupby(spoken, key=lambda message: message.role is Role.TOOL):
        if returned:
            parts = [part for message in group for part in _result(message, names)]
            contents.append({"role": "user", "parts": parts})
        else:
            contents += [_content(message) for message in group]
    return contents


def generation_config(request: ChatRequest, model: Model) -> dict[str, Any] | None:
    sampling, penalties = model.can(Capability.SAMPLING), model.can(Capability.PENALTIES)
    level = _LEVELS.get(request.reasoning_effort or "") if model.can(Capability.EFFORT) else None
    schema = request.json_schema if request.response_format == "json_schema" else None
    config = present(
        maxOutputTokens=max_output_tokens(request, model),
        temperature=request.temperature if sampling else None,
        topP=request.top_p if sampling else None,
        presencePenalty=request.presence_penalty if penalties else None,
        frequencyPenalty=request.frequency_penalty if penalties else None,
        stopSequences=list(request.stop) or None,
        seed=request.seed,
        candidateCount=request.n if request.n > 1 else None,
        responseLogprobs=request.logprobs or None,
        logprobs=request.top_logprobs if request.logprobs else None,
        responseMimeType="application/json" if request.response_format != "text" else None,
        responseJsonSchema=dict(schema.schema_) if schema is not None else None,
        thinkingConfig={"thinkingLevel": level} if level is not None else None,
    )
    return config or None


def tool_fields(request: ChatRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    choice = request.tool_choice
    config = None
    if choice is not None:
        only = [choice.name] if choice.mode == "one" else None
        config = {"functionCallingConfig": present(mode=_MODES[choice.mode], allowedFunctionNames=only)}
    return present(tools=[{"functionDeclarations": [_tool(tool) for tool in request.tools]}], toolConfig=config)


def _content(message: Message) -> dict[str, Any]:
    role = "model" if message.role is Role.ASSISTANT else "user"
    spoken = _parts(message)
    if message.tool_calls:
        spoken = [part for part in spoken if part.get("text") != ""]
    return {"role": role, "parts": [*spoken, *(_call(call) for call in message.tool_calls)]}


def _parts(message: Message) -> list[dict[str, Any]]:
    parts = (TextPart(text=message.content),) if isinstance(message.content, str) else message.content
    return [_image(part) if isinstance(part, ImagePart) else {"text": part.text} for part in parts]


def _image(part: ImagePart) -> dict[str, Any]:
    inline = inline_image(part.url)
    if inline is not None:
        return {"inlineData": {"mimeType": inline.media_type, "data": inline.data}}
    return {"fileData": present(mimeType=mimetypes.guess_type(urlsplit(part.url).path)[0], fileUri=part.url)}


def _call(call: ToolCall) -> dict[str, Any]:
    """Models may write arguments that are no JSON object, and here nothing else can be said."""
    arguments = json_object(call.arguments)
    spoken = arguments if arguments is not None else {"arguments": call.arguments}
    return {"functionCall": {"id": call.id, "name": call.name, "args": spoken}, "thoughtSignature": _UNSIGNED}


def _result(message: Message, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a tool returned: a JSON object as it is, anything else as the output; pictures beside it."""
    call = message.tool_call_id or ""
    returned = json_object(message.text)
    response = returned if returned is not None else {"output": message.text}
    name = names.get(call, message.name or call)
    return [
        {"functionResponse": {"id": call, "name": name, "response": response}},
        *(_image(image) for image in message.images),
    ]


def _tool(tool: Tool) -> dict[str, Any]:
    parameters = dict(tool.parameters) if tool.parameters is not None else None
    return present(name=tool.name, description=tool.description, parametersJsonSchema=parameters)
