"""LiteLLM: rows of its spend logs, and the payload that its callbacks write (`standard_logging_object`)."""

from collections.abc import Mapping
from typing import Any

from aico.audit.calls import LoggedCall, NotReadable, Result, SetAside
from aico.audit.lenient import Json, dollars, first, moment, name_of, object_of, parsed
from aico.audit.messages import read_answer
from aico.audit.requests import read_request
from aico.audit.usages import Counted, of_provider

_IN_WORDS = ("completion", "messages", "responses", "generate_content")
_YES = {"True", "true"}


def read(fields: Json) -> LoggedCall:
    fields = object_of(fields.get("standard_logging_object")) or fields
    kind = fields.get("call_type")
    if isinstance(kind, str) and kind and not any(word in kind for word in _IN_WORDS):
        raise SetAside("a call that asks for no words")
    if fields.get("status") == "failure":
        raise SetAside("a call that failed")
    model = name_of(first(fields, "model", "model_group"))
    if model is None:
        raise NotReadable("no model is named")
    body = _body(fields)
    request, scope = read_request(body, model)
    at, end = moment(fields.get("startTime"), "startTime"), moment(fields.get("endTime"), "endTime")
    response = parsed(fields.get("response"))
    counted = _usage(fields, object_of(response))
    return LoggedCall(
        request,
        scope,
        Result(read_answer(response) if response else None, counted.usage, counted.cache_known, at, model),
        provider=name_of(fields.get("custom_llm_provider")),
        seconds=None if at is None or end is None else max(0.0, end - at),
        dollars=dollars(first(fields, "response_cost", "spend"), "response_cost"),
        session=name_of(first(fields, "session_id", "trace_id")),
        user=name_of(first(fields, "end_user", "user")),
        streamed=fields.get("stream") is True or body.get("stream") is True,
        cached=str(fields.get("cache_hit")) in _YES,
    )


def _body(fields: Json) -> dict[str, Any]:
    """A payload has `messages` and `model_parameters`; a spend log has the client's body in `proxy_server_request`."""
    sent = object_of(fields.get("proxy_server_request"))
    sent = object_of(sent.get("body")) or sent
    messages = parsed(fields.get("messages")) or sent.get("messages") or sent.get("input")
    if isinstance(messages, Mapping):
        messages = messages.get("messages") or messages
    if not messages:
        raise NotReadable("there are no messages: LiteLLM keeps them with `store_prompts_in_spend_logs` alone")
    return {**sent, **object_of(fields.get("model_parameters")), "messages": messages}


def _usage(fields: Json, response: Json) -> Counted:
    reported = object_of(response.get("usage")) or object_of(object_of(fields.get("metadata")).get("usage_object"))
    counted = of_provider(reported)
    return of_provider(fields) if counted.usage is None else counted
