"""OpenAI's chat completions, which most other providers and servers speak too."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from aico.core.canonical import canonical_json
from aico.core.chat import ChatRequest, Completion, FinishReason
from aico.core.usage import Tokens, Usage
from aico.routing.models import Capability, Model
from aico.routing.providers.profiles import Profile
from aico.routing.providers.wire import (
    HttpRequest,
    Payload,
    StreamPart,
    WireError,
    auth_headers,
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


class _Text(Payload):
    content: str | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        return self.content or self.refusal or ""


class _Choice(Payload):
    message: _Text = _Text()
    delta: _Text = _Text()
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
    prompt_tokens: Tokens = 0
    completion_tokens: Tokens = 0
    prompt_tokens_details: _InputDetails | None = Field(default=None)
    completion_tokens_details: _OutputDetails | None = Field(default=None)
    service_tier: str | None = None


class OpenAIChat:
    def build_request(
        self, profile: Profile, api_key: SecretStr | None, model: Model, request: ChatRequest, *, stream: bool
    ) -> HttpRequest:
        sampling = model.can(Capability.SAMPLING)
        body = {
            "model": model.provider_model,
            "messages": [{"role": message.role.value, "content": message.content} for message in request.messages],
            profile.max_tokens_field: max_output_tokens(request, model),
            "temperature": request.temperature if sampling else None,
            "top_p": request.top_p if sampling else None,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "response_format": {"type": "json_object"} if request.response_format == "json_object" else None,
            "stream": True if stream else None,
            "stream_options": {"include_usage": True} if stream else None,
        }
        sent = canonical_json({name: value for name, value in body.items() if value is not None})
        return HttpRequest("POST", f"{profile.base_url}/chat/completions", auth_headers(profile, api_key), sent)

    def parse_response(self, body: bytes) -> Completion:
        answer = _readable(body)
        if not answer.choices:
            raise WireError("unreadable answer: choices: missing", code="unreadable")
        choice = answer.choices[0]
        return Completion(
            text=choice.message.text,
            finish_reason=_finish(choice.finish_reason, refused=choice.message.refusal) or FinishReason.STOP,
            model=answer.model,
            usage=self.normalise_usage(_metered(answer) or {}),
        )

    def parse_event(self, data: str) -> StreamPart:
        if data == _END_OF_STREAM:
            return StreamPart()
        answer = _readable(data)
        choice = answer.choices[0] if answer.choices else _Choice()
        return StreamPart(
            delta=choice.delta.text,
            finish=_finish(choice.finish_reason, refused=choice.delta.refusal),
            usage=_metered(answer),
            model=answer.model or None,
        )

    def parse_error(self, status: int, body: bytes) -> WireError:
        try:
            error = read_payload(_ErrorBody, body).error
        except WireError:
            error = None  # a proxy's page, say: the status alone has to do
        if not isinstance(error, _Error):
            return WireError(safe_message(status, None, error), status=status)
        return _wire_error(error, status)

    def normalise_usage(self, raw: Mapping[str, Any]) -> Usage:
        """`prompt_tokens` includes cached tokens and `completion_tokens` includes reasoning."""
        usage = read_usage(_Usage, raw)
        read, write = _cached(usage)
        details = usage.completion_tokens_details
        reasoning = (details.reasoning_tokens or 0) if details is not None else 0
        tier = usage.service_tier or "standard"
        return Usage(
            input_uncached=usage.prompt_tokens - read - write,
            cache_read=read,
            cache_write=write,
            output=usage.completion_tokens,
            reasoning=min(reasoning, usage.completion_tokens),
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
    claimed = error.code if isinstance(error.code, int) else None
    code = error.code if isinstance(error.code, str) else error.type
    return WireError(safe_message(status or claimed, code, error.message), code=code, status=status or claimed)


def _finish(reason: str | None, *, refused: str | None) -> FinishReason | None:
    if reason is None:
        return None
    # Servers have their own words for a natural end, such as "eos".
    return FinishReason.CONTENT_FILTER if refused else _FINISH.get(reason, FinishReason.STOP)


def _metered(answer: _Answer) -> dict[str, Any] | None:
    """The usage object with the service tier beside it, which decides the price and is reported elsewhere."""
    if answer.usage is None:
        return None
    return answer.usage if answer.service_tier is None else {**answer.usage, "service_tier": answer.service_tier}


def _cached(usage: _Usage) -> tuple[int, int]:
    """Tokens read from and written to the provider's cache, held to what the prompt has."""
    details = usage.prompt_tokens_details or _InputDetails()
    read = min(details.cached_tokens or 0, usage.prompt_tokens)
    return read, min(details.cache_write_tokens or 0, usage.prompt_tokens - read)
