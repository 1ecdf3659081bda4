"""OpenAI: pairs of request and response, stored completions with their messages, the two files of a batch."""

from collections.abc import Mapping
from typing import Any

from aico.audit.calls import LateResult, LoggedCall, NotReadable, Result, SetAside
from aico.audit.lenient import Json, first, moment, name_of, object_of, parsed
from aico.audit.messages import read_answer
from aico.audit.requests import read_request
from aico.audit.usages import NOTHING, of_provider

_TEXT_ENDPOINTS = ("/chat/completions", "/completions", "/responses", "/messages")
_TIMES = ("created_at", "timestamp", "created", "time")
_REFUSED = 400


def read(fields: Json) -> LoggedCall | LateResult:
    if "custom_id" in fields:
        return _batch_request(fields) if "body" in fields else _batch_result(fields)
    if "request" in fields:
        return _pair(fields)
    if any(fields.get(name) for name in ("messages", "input", "prompt")):
        return _call(fields, fields, fields)
    if fields.get("object") == "chat.completion":
        raise NotReadable("a stored completion without its `messages`, which the API gives separately")
    raise NotReadable("there is neither a `request` nor `messages`")


def _batch_request(fields: Json) -> LoggedCall:
    url = fields.get("url")
    if isinstance(url, str) and not url.endswith(_TEXT_ENDPOINTS):
        raise SetAside("a batch's line for another endpoint than one that answers in words")
    body = _object(fields["body"], "body")
    request, scope = read_request(body, _model(body, {}))
    return LoggedCall(request, scope, custom_id=_custom_id(fields))


def _batch_result(fields: Json) -> LateResult:
    response = object_of(fields.get("response"))
    return LateResult(_custom_id(fields), _result(_body(response), batch=True))


def _custom_id(fields: Json) -> str:
    found = name_of(fields.get("custom_id"))
    if found is None:
        raise NotReadable("custom_id is no text")
    return found


def _pair(fields: Json) -> LoggedCall:
    request, response = _object(fields["request"], "request"), object_of(fields.get("response"))
    if not response:
        raise SetAside("a call without an answer")
    return _call(fields, _object(request.get("body", request), "request"), _body(response))


def _body(response: Json) -> Json:
    status = response.get("status_code")
    body = object_of(response.get("body", response))
    if not body or body.get("error") or (isinstance(status, int) and status >= _REFUSED):
        raise SetAside("a call that failed")
    return body


def _call(fields: Json, body: Json, answer: Json) -> LoggedCall:
    request, scope = read_request(body if body is not fields else _asked(fields), _model(body, answer))
    result = _result(answer)
    at = moment(first(fields, *_TIMES), "the time of the call")
    done = Result(result.answer, result.usage, result.cache_known, result.at if at is None else at, result.model)
    return LoggedCall(
        request,
        scope,
        done,
        provider=name_of(fields.get("provider")),
        session=name_of(fields.get("session_id")),
        user=name_of(first(body, "user", "safety_identifier")),
        streamed=body.get("stream") is True,
    )


def _asked(fields: Json) -> Json:
    """Of a line that holds question and answer together what belongs to the question."""
    answered = {"id", "object", "created", "choices", "usage", "system_fingerprint", "request_id", "response", "answer"}
    noted = {"provider", "session_id", "input_user", *_TIMES}
    return {name: value for name, value in fields.items() if name not in answered | noted}


def _result(body: Json, *, batch: bool = False) -> Result:
    raw = object_of(body.get("usage"))
    counted = of_provider({**raw, "service_tier": body.get("service_tier")}, batch=batch) if raw else NOTHING
    said = read_answer(body) if body.keys() & {"choices", "output", "content"} else None
    at = moment(first(body, "created", "created_at"), "created")
    return Result(said, counted.usage, counted.cache_known, at, name_of(body.get("model")))


def _model(body: Json, answer: Json) -> str:
    found = name_of(body.get("model")) or name_of(answer.get("model"))
    if found is None:
        raise NotReadable("no model is named")
    return found


def _object(value: Any, field: str) -> Json:
    found = parsed(value)
    if not isinstance(found, Mapping):
        raise NotReadable(f"{field} is no object")
    return found
