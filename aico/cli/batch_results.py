"""Results of a batch as the service writes them, turned into those that `aico batch` writes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

Json = dict[str, Any]

_STATUSES = {
    "batch_cancelled": "cancelled",
    "batch_expired": "expired",
    "cancelled": "cancelled",
    "deadline_exceeded": "expired",
}
_CUT_OFF = {"length", "content_filter"}


def in_order(requests: Iterable[str], output: Iterable[str], errors: Iterable[str], otherwise: str) -> Iterator[Json]:
    """One result a request, in the order of `requests`; the other two are in that order already. Holds three lines.

    `otherwise` is the status of a request without a result.
    """
    heads = [_results(output), _results(errors)]
    waiting = [next(results, None) for results in heads]
    for text in requests:
        name = json.loads(text)["custom_id"]
        place = next((place for place, result in enumerate(waiting) if result and result["id"] == name), None)
        yield waiting[place] or {} if place is not None else {"id": name, "status": otherwise}
        if place is not None:
            waiting[place] = next(heads[place], None)


def _results(lines: Iterable[str]) -> Iterator[Json]:
    return (result_of(json.loads(text)) for text in lines)


def result_of(line: Mapping[str, Any]) -> Json:
    """A line of either file: {id, status}, and job, answer and routing, or error."""
    name, response = {"id": line["custom_id"]}, line["response"]
    if response is None:
        return {**name, "status": _status(line["error"]), "error": line["error"]}
    body = response["body"]
    routing = dict(body.get("aico", {}))
    job = routing.pop("job_id", None)
    if response["status_code"] == HTTPStatus.OK:
        answer = _answer(body)
        status = "incomplete" if answer["finish_reason"] in _CUT_OFF else "completed"
        return {**name, "job": job, "status": status, "answer": answer, "routing": routing}
    error = {part: body["error"][part] for part in ("code", "message")}
    if job is None:
        return {**name, "status": "refused", "error": error}
    return {**name, "job": job, "status": _status(error), "error": error}


def _status(error: Mapping[str, Any]) -> str:
    return _STATUSES.get(error["code"], "failed")


def _answer(body: Mapping[str, Any]) -> Json:
    first, *more = (_choice(choice) for choice in body["choices"])
    usage = body["usage"]
    tokens = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
    return {**first, **tokens, **({"more": more} if more else {})}


def _choice(choice: Mapping[str, Any]) -> Json:
    message = choice["message"]
    said = {"text": message["content"] or message["refusal"] or "", "finish_reason": choice["finish_reason"]}
    return {**said, **({"tool_calls": message["tool_calls"]} if message.get("tool_calls") else {})}
