"""Chat completions as OpenAI's clients read them: whole, and as the chunks of a stream."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from aico.core.chat import Choice, FinishReason
from aico.core.jobs import Answer, RoutingReport
from aico.wire.ids import Prefix, public_id

Json = dict[str, Any]


def completion(job: UUID, created: datetime, answer: Answer, routing: RoutingReport) -> Json:
    """A `chat.completion`. `aico` says how it came about."""
    choices = [_choice(index, one) for index, one in enumerate((answer, *answer.more))]
    return {**_head("chat.completion", job, created, routing.model), "choices": choices, **_tail(job, answer, routing)}


class Chunks:
    """The chunks of one stream. All have the same id and time; the model is the one that answers, once it is known."""

    def __init__(self, job: UUID, created: datetime, model: str, *, with_usage: bool) -> None:
        self.id = public_id(Prefix.COMPLETION, job)
        self._job = job
        self._created = created
        self._model = model
        self._with_usage = with_usage

    def first(self) -> Json:
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def text(self, piece: str) -> Json:
        return self._chunk({"content": piece})

    def ending(self, answer: Answer, routing: RoutingReport, sent: int) -> Iterator[Json]:
        """All that is still to be said when `sent` characters of the first choice's text have been."""
        self._model = routing.model
        rest = answer.text[sent:]
        if rest:
            yield self._chunk({"refusal": rest} if answer.refused else {"content": rest})
        for index, one in enumerate((answer, *answer.more)):
            if index:
                yield self._chunk({"role": "assistant", "content": one.text}, index)
            if one.tool_calls:
                yield self._chunk({"tool_calls": list(_numbered(one))}, index)
            yield self._chunk({}, index, finish=_finish(one), logprobs=one.logprobs)
        tail = _tail(self._job, answer, routing)
        if self._with_usage:
            yield {**self._head(), "choices": [], **tail}

    def _chunk(
        self,
        delta: Json,
        index: int = 0,
        *,
        finish: FinishReason | None = None,
        logprobs: Mapping[str, Any] | None = None,
    ) -> Json:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        return {**self._head(), "choices": [choice], **({"usage": None} if self._with_usage else {})}

    def _head(self) -> Json:
        return _head("chat.completion.chunk", self._job, self._created, self._model)


def headers_of(job: UUID, routing: RoutingReport | None) -> dict[str, str]:
    """How an answer came about, for those who read headers. What is not known is left out."""
    said: dict[str, object] = {JOB_HEADER: job}
    if routing is not None:
        said |= {name: read(routing) for name, read in ROUTING_HEADERS.items()}
    return {name: str(value) for name, value in said.items() if value is not None}


def saved_cents(routing: RoutingReport) -> str | None:
    """US cents against the baseline, negative where it would have been cheaper; None where a price is unknown."""
    if routing.cost_cents is None or routing.baseline_cost_cents is None:
        return None
    return f"{Decimal(routing.baseline_cost_cents) - Decimal(routing.cost_cents):f}"


def _digits(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


JOB_HEADER = "x-aico-job-id"
ROUTING_HEADERS: Mapping[str, Callable[[RoutingReport], object]] = {
    "x-aico-cache": lambda routing: routing.cache.value,
    "x-aico-similarity": lambda routing: _digits(routing.similarity),
    "x-aico-cache-score": lambda routing: _digits(routing.cache_score),
    "x-aico-cache-error-bound": lambda routing: _digits(routing.error_bound),
    "x-aico-cache-error-target": lambda routing: _digits(routing.error_target),
    "x-aico-cache-judged": lambda routing: routing.judged,
    "x-aico-provider": lambda routing: routing.provider,
    "x-aico-model": lambda routing: routing.model,
    "x-aico-strategy": lambda routing: routing.strategy,
    "x-aico-verified": lambda routing: routing.verified,
    "x-aico-cost-cents": lambda routing: routing.cost_cents,
    "x-aico-baseline-model": lambda routing: routing.baseline_model,
    "x-aico-baseline-cost-cents": lambda routing: routing.baseline_cost_cents,
    "x-aico-saved-cents": saved_cents,
}


def usage_of(answer: Answer) -> Json:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def provenance(job: UUID, routing: RoutingReport) -> Json:
    """The routing report as other formats carry it, beside what they define."""
    report = routing.model_dump(mode="json", exclude_none=True)
    saved = saved_cents(routing)
    return {"job_id": str(job), **report, **({} if saved is None else {"saved_cents": saved})}


def _head(kind: str, job: UUID, created: datetime, model: str) -> Json:
    return {
        "id": public_id(Prefix.COMPLETION, job),
        "object": kind,
        "created": int(created.timestamp()),
        "model": model,
        "system_fingerprint": None,
    }


def _tail(job: UUID, answer: Answer, routing: RoutingReport) -> Json:
    return {"usage": usage_of(answer), "service_tier": None, "aico": provenance(job, routing)}


def _choice(index: int, one: Choice) -> Json:
    message: Json = {
        "role": "assistant",
        "content": None if one.refused or (one.tool_calls and not one.text) else one.text,
        "refusal": one.text if one.refused else None,
    }
    if one.tool_calls:
        message["tool_calls"] = list(_tool_calls(one))
    return {"index": index, "message": message, "finish_reason": _finish(one), "logprobs": one.logprobs}


def _finish(one: Choice) -> FinishReason:
    """To OpenAI's clients a refusal in words is a whole answer; where a reason promises calls they look for some."""
    called_nothing = one.finish_reason is FinishReason.TOOL_CALLS and not one.tool_calls
    return FinishReason.STOP if one.refused or called_nothing else one.finish_reason


def _tool_calls(one: Choice) -> Iterable[Json]:
    for call in one.tool_calls:
        yield {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _numbered(one: Choice) -> Iterable[Json]:
    for index, call in enumerate(_tool_calls(one)):
        yield {"index": index, **call}
