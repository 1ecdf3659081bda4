"""OpenAI's chat completions, which most other providers and servers speak too."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from aico.core.chat import ChatRequest, Completion, FinishReason
from aico.core.usage import Tokens, Usage
from aico.routing.models import Capability, Model
from aico.routing.providers.assembly import assembled
from aico.routing.providers.failures import CONTENT_FLAGGED, UNREADABLE
from aico.routing.providers.logprobs import Logprobs
from aico.routing.providers.openai_content import message_json, response_format, tool_fields
from aico.routing.providers.payload import Payload
from aico.routing.providers.profiles import Profile
from aico.routing.providers.wire import (
    CacheHint,
    CallPart,
    ChoicePart,
    HttpRequest,
    StreamPart,
    WireError,
    auth_headers,
    claimed_status,
    encode_body,
    max_output_tokens,
    read_payload,
    read_usage,
    safe_message,
)

_FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
}
_END_OF_STREAM = "[DONE]"


class _Error(Payload):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None  # a number where a gateway passes an upstream status on
    metadata: Any = None  # OpenRouter's

    @property
    def name(self) -> str | None:
        flagged = isinstance(self.metadata, dict) and "flagged_input" in self.metadata
        return CONTENT_FLAGGED if flagged else self.code if isinstance(self.code, str) else self.type


class _Function(Payload):
    name: str | None = None
    arguments: str | None = None


class _Call(Payload):
    index: int | None = None  # only in streams, and not every server's
    id: str | None = None
    function: _Function = _Function()


class _Said(Payload):
    """A whole message, or what an event adds to it."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[_Call, ...] | None = None


class _Choice(Payload):
    index: int | None = None
    message: _Said = _Said()
    delta: _Said = _Said()
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class _Answer(Payload):
    model: str = ""
    choices: tuple[_Choice, ...] = ()
    usage: dict[str, Any] | None = None
    service_tier: str | None = None
    error: _Error | None = None


class _ErrorBody(Payload):
    error: _Error | str | None = None


class _InputDetails(Payload):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None


class _OutputDetails(Payload):
    reasoning_tokens: Tokens | None = None


class _Usage(Payload):
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    prompt_tokens_details: _InputDetails | None = Field(default=None)
    completion_tokens_details: _OutputDetails | None = Field(default=None)
    prompt_cache_hit_tokens: Tokens | None = None  # where DeepSeek and servers after it say what was cached
    service_tier: str | None = None


class OpenAIChat:
    def build_request(
        self,
        profile: Profile,
        api_key: SecretStr | None,
        model: Model,
        request: ChatRequest,
        *,
        stream: bool,
        caching: CacheHint | None = None,
    ) -> HttpRequest:
        body = {
            **_cache_key(caching),
            **(request.hints if profile.takes_hints else {}),
            "model": model.provider_model,
            "messages": [message_json(message) for message in request.messages],
            profile.max_tokens_field: max_output_tokens(request, model),
            **_sampling(model, request),
            **tool_fields(request),
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "n": request.n if request.n > 1 else None,
            "logprobs": request.logprobs or None,
            "top_logprobs": request.top_logprobs if request.logprobs else None,
            "response_format": response_format(request),
            "reasoning_effort": request.reasoning_effort if model.can(Capability.EFFORT) else None,
            "verbosity": request.verbosity if profile.takes_hints else None,
            "stream": True if stream else None,
            "stream_options": {"include_usage": True} if stream else None,
        }
        url = f"{profile.base_url}/chat/completions"
        return HttpRequest("POST", url, auth_headers(profile, api_key), encode_body(body))

    def parse_response(self, body: bytes) -> Completion:
        answer = _readable(body)
        if not answer.choices:
            raise WireError("unreadable answer: choices: missing", code=UNREADABLE)
        choices = tuple(
            _part(index, choice.message, choice, _finish(choice.finish_reason) or FinishReason.STOP)
            for index, choice in enumerate(answer.choices)
        )
        return assembled(StreamPart(choices, _metered(answer), answer.model), self.normalise_usage)

    def parse_event(self, data: str) -> StreamPart:
        if data == _END_OF_STREAM:
            return StreamPart()
        answer = _readable(data)
        choices = tuple(
            _part(choice.index or 0, choice.delta, choice, _finish(choice.finish_reason)) for choice in answer.choices
        )
        return StreamPart(choices, _metered(answer), answer.model or None)

    def parse_error(self, status: int, body: bytes) -> WireError:
        try:
            error = read_payload(_ErrorBody, body).error
        except WireError:
            error = None  # a proxy's page, say: the status alone has to do
        if not isinstance(error, _Error):
            return WireError(safe_message(status, None, error), status=status)
        return _wire_error(error, status)

    def normalise_usage(self, raw: Mapping[str, Any]) -> Usage:
        """`prompt_tokens` includes cached tokens, `completion_tokens` reasoning unless the total says otherwise."""
        usage = read_usage(_Usage, raw)
        prompt, (read, write), (output, reasoning) = usage.prompt_tokens or 0, _cached(usage), _written(usage)
        tier = usage.service_tier or "standard"
        return Usage(
            input_uncached=prompt - read - write,
            cache_read=read,
            cache_write=write,
            output=output,
            reasoning=reasoning,
            tier="standard" if tier == "default" else tier,
            raw=dict(raw) or None,
        )


def _readable(body: bytes | str) -> _Answer:
    answer = read_payload(_Answer, body)
    if answer.error is not None:
        raise _wire_error(answer.error, None)
    if any(choice.finish_reason == "error" for choice in answer.choices):
        raise WireError("the provider broke off the answer", code="error")
    return answer


def _wire_error(error: _Error, status: int | None) -> WireError:
    claimed, code = claimed_status(error.code), error.name
    return WireError(safe_message(status or claimed, code, error.message), code=code, status=status or claimed)


def _cache_key(caching: CacheHint | None) -> dict[str, str]:
    """Stands before the caller's own hints, which win."""
    return {} if caching is None or caching.key is None else {"prompt_cache_key": caching.key}


def _sampling(model: Model, request: ChatRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if model.can(Capability.SAMPLING):
        fields = {"temperature": request.temperature, "top_p": request.top_p}
    if model.can(Capability.PENALTIES):
        fields |= {
            "presence_penalty": request.presence_penalty,
            "frequency_penalty": request.frequency_penalty,
            "logit_bias": dict(request.logit_bias) or None,
        }
    return fields


def _part(index: int, said: _Said, choice: _Choice, finish: FinishReason | None) -> ChoicePart:
    calls = tuple(
        CallPart(
            index=place if call.index is None else call.index,
            id=call.id,
            name=call.function.name,
            arguments=call.function.arguments or "",
        )
        for place, call in enumerate(said.tool_calls or ())
    )
    return ChoicePart(
        index=index,
        text=said.content or said.refusal or "",
        refused=bool(said.refusal),
        calls=calls,
        logprobs=choice.logprobs,
        finish=finish,
    )


def _finish(reason: str | None) -> FinishReason | None:
    # Servers have their own words for a natural end, such as "eos".
    return None if reason is None else _FINISH.get(reason, FinishReason.STOP)


def _metered(answer: _Answer) -> dict[str, Any] | None:
    """The usage object with the service tier beside it, which decides the price and is reported elsewhere."""
    if answer.usage is None:
        return None
    return answer.usage if answer.service_tier is None else {**answer.usage, "service_tier": answer.service_tier}


def _cached(usage: _Usage) -> tuple[int, int]:
    """Tokens read from and written to the provider's cache, held to what the prompt has."""
    details, prompt = usage.prompt_tokens_details or _InputDetails(), usage.prompt_tokens or 0
    read = min(details.cached_tokens or usage.prompt_cache_hit_tokens or 0, prompt)
    return read, min(details.cache_write_tokens or 0, prompt - read)


def _written(usage: _Usage) -> tuple[int, int]:
    """Tokens of the answer, and those of them that are reasoning. Some servers count reasoning beside the answer."""
    details, completion = usage.completion_tokens_details or _OutputDetails(), usage.completion_tokens or 0
    reasoning = details.reasoning_tokens or 0
    if reasoning and usage.total_tokens == (usage.prompt_tokens or 0) + completion + reasoning:
        completion += reasoning
    return completion, min(reasoning, completion)
