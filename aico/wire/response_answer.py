"""Jobs as OpenAI's Responses: the object that is polled, and its output."""

from typing import Any

from aico.core.chat import FinishReason
from aico.core.jobs import Answer, Job, JobStatus
from aico.wire.chat_answer import provenance
from aico.wire.ids import Prefix, public_id
from aico.wire.response_items import function_call, output_text

Json = dict[str, Any]

_REASONS = {FinishReason.LENGTH: "max_output_tokens", FinishReason.CONTENT_FILTER: "content_filter"}
_INVALID = {"invalid_input", "request_refused", "payload_too_large", "model_not_found", "no_provider"}
# Shown with every response, also where the request said nothing about it.
_ECHOED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


def response(job: Job) -> Json:
    """A `response` as it stands. `aico` says how its answer came about, and why there is none."""
    answer, routing = job.answer, job.routing
    status = status_of(job)
    report = {"job_id": str(job.id)} if routing is None else provenance(job.id, routing)
    ended = job.finished_at if status is JobStatus.COMPLETED else None
    return {
        "id": public_id(Prefix.RESPONSE, job.id),
        "object": "response",
        "created_at": int(job.created_at.timestamp()),
        "status": status.value,
        "completed_at": None if ended is None else int(ended.timestamp()),
        "error": _error(job),
        "incomplete_details": _incomplete_details(job),
        "model": job.model if routing is None else routing.model,
        "output": output_items(job),
        "usage": None if answer is None else usage_of(answer),
        "metadata": job.metadata,
        "service_tier": None,
        **{name: job.echo.get(name, default) for name, default in _ECHOED.items()},
        "aico": report if job.error is None else {**report, "error": job.error.model_dump()},
    }


def status_of(job: Job) -> JobStatus:
    """In their terms, which have no word for what expired, and for which a refusal in words is a whole answer."""
    if job.status is JobStatus.EXPIRED:
        return JobStatus.FAILED
    refused = job.answer is not None and job.answer.refused
    return JobStatus.COMPLETED if refused else job.status


def output_items(job: Job) -> list[Json]:
    """The message, unless the answer is calls alone, and then the calls."""
    answer = job.answer
    if answer is None:
        return []
    status = "incomplete" if status_of(job) is JobStatus.INCOMPLETE else "completed"
    calls = [
        {"id": f"{public_id(Prefix.FUNCTION_CALL, job.id)}_{place}", **function_call(call, status)}
        for place, call in enumerate(answer.tool_calls)
    ]
    if calls and not answer.text:
        return calls
    return [{**message_head(job, status), "content": [content_of(answer)]}, *calls]


def message_head(job: Job, status: str) -> Json:
    return {"id": public_id(Prefix.MESSAGE, job.id), "type": "message", "role": "assistant", "status": status}


def content_of(answer: Answer) -> Json:
    if answer.refused:
        return {"type": "refusal", "refusal": answer.text}
    return output_text(answer.text, _logprobs(answer))


def usage_of(answer: Answer) -> Json:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _error(job: Job) -> Json | None:
    """In the words that their clients know; those of this service stand in `aico`."""
    if job.error is None or job.status is JobStatus.CANCELLED:
        return None
    code = "invalid_prompt" if job.error.code in _INVALID else "server_error"
    return {"code": code, "message": job.error.message}


def _incomplete_details(job: Job) -> Json | None:
    if status_of(job) is not JobStatus.INCOMPLETE or job.answer is None:
        return None
    return {"reason": _REASONS.get(job.answer.finish_reason, "max_output_tokens")}


def _logprobs(answer: Answer) -> list[Json]:
    said = (answer.logprobs or {}).get("content") or []
    return [{**_token(one), "top_logprobs": [_token(other) for other in one.get("top_logprobs") or ()]} for one in said]


def _token(said: Json) -> Json:
    return {"token": said["token"], "logprob": said["logprob"], "bytes": said.get("bytes") or []}
