"""The body of a logged request, read into the request that the service would have seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from aico.audit.calls import NotReadable
from aico.audit.lenient import Json, name_of, object_of
from aico.audit.messages import read_messages
from aico.core.chat import ChatRequest, Message, Role, Tool

_PLAIN = {
    *("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "n", "logprobs", "top_logprobs"),
    *("parallel_tool_calls", "reasoning_effort", "verbosity"),
}
_READ = {"model", "messages", "input", "prompt", "instructions", "system", "tools", "response_format", "stop"}
_LENGTHS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
# What does not change the question: who asks, how the answer travels, what becomes of it.
_BESIDE = {
    *("user", "metadata", "stream", "stream_options", "store", "safety_identifier", "prompt_cache_key", "service_tier"),
    *("prompt_cache_retention", "timeout", "extra_headers", "max_retries", "aico", "litellm_metadata", "caching"),
    *("litellm_call_id", "litellm_trace_id", "litellm_session_id", "proxy_server_request", "cache", "num_retries"),
}


def read_request(body: Json, model: str) -> tuple[ChatRequest, dict[str, Any]]:
    """The request, and those of its parameters that the service does not know. Raises NotReadable."""
    said = next((body[name] for name in ("messages", "input", "prompt") if body.get(name)), None)
    messages = (*_instructions(body), *read_messages(said))
    tools, odd = _tools(body.get("tools"))
    rest = {name: value for name, value in body.items() if name not in _PLAIN | _READ | _BESIDE | {*_LENGTHS}}
    scope = {**odd, **{name: value for name, value in rest.items() if value is not None}}
    plain = {name: body[name] for name in _PLAIN if body.get(name) is not None}
    plain |= _length(body) | _stop(body.get("stop"))
    form, unusual = _response_format(body.get("response_format"))
    try:
        request = ChatRequest(messages=messages, model=model, tools=tools, **plain, **form)
    except ValidationError:  # what the service would refuse still tells requests apart
        return ChatRequest(messages=messages, model=model), {**scope, "as_given": {**plain, **form, "tools": odd}}
    return request, {**scope, **unusual}


def _instructions(body: Json) -> tuple[Message, ...]:
    said = body.get("instructions") or body.get("system")
    if not said:
        return ()
    try:
        return read_messages([{"role": "system", "content": said}])
    except NotReadable:
        return (Message(role=Role.SYSTEM),)


def _length(body: Json) -> dict[str, Any]:
    found = next((body[name] for name in _LENGTHS if body.get(name) is not None), None)
    return {} if found is None else {"max_tokens": found}


def _stop(value: Any) -> dict[str, Any]:
    if not value:
        return {}
    return {"stop": (value,) if isinstance(value, str) else value}


def _response_format(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    kind, schema = object_of(value).get("type"), object_of(object_of(value).get("json_schema"))
    if not value or kind == "text":
        return {}, {}
    if kind == "json_object":
        return {"response_format": "json_object"}, {}
    if kind == "json_schema" and "schema" in schema:
        return {"response_format": "json_schema", "json_schema": dict(schema)}, {}
    return {}, {"response_format": value}


def _tools(value: Any) -> tuple[tuple[Tool, ...], dict[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return (), {}
    try:
        return tuple(map(_tool, value)), {}
    except (NotReadable, ValidationError):
        return (), {"tools": value}


def _tool(value: Any) -> Tool:
    if not isinstance(value, Mapping):
        raise NotReadable("a tool is no object")
    given = object_of(value.get("function")) or value
    return Tool(
        name=name_of(given.get("name")) or "",
        description=given.get("description"),
        parameters=given.get("parameters") or given.get("input_schema"),
        strict=given.get("strict"),
    )
