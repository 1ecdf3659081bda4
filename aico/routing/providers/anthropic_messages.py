"""Anthropic's messages."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from aico.core.canonical import canonical_json
from aico.core.chat import ChatRequest, Completion, FinishReason, Role
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
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.CONTENT_FILTER,
    "tool_use": FinishReason.TOOL_CALLS,
}
_DEFAULT_MAX_TOKENS = 4096  # the field is required; without a wish of the caller's this bounds the bill
_TOP_TEMPERATURE = 1.0


class _Error(Payload):
    type: str | None = None
    message: str | None = None


class _ErrorBody(Payload):
    error: _Error | None = None


class _Block(Payload):
    type: str = ""
    text: str = ""


class _Message(Payload):
    model: str = ""
    content: tuple[_Block, ...]
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None


class _Start(Payload):
    model: str = ""
    usage: dict[str, Any] | None = None


class _Delta(Payload):
    type: str = ""
    text: str = ""
    stop_reason: str | None = None


class _Event(Payload):
    type: str
    message: _Start = _Start()
    delta: _Delta = _Delta()
    usage: dict[str, Any] | None = None
    error: _Error | None = None


class _Usage(Payload):
    input_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    service_tier: str | None = None


class AnthropicMessages:
    def build_request(
        self, profile: Profile, api_key: SecretStr | None, model: Model, request: ChatRequest, *, stream: bool
    ) -> HttpRequest:
        system = [message.text for message in request.messages if message.role is Role.SYSTEM]
        body = {
            "model": model.provider_model,
            "system": "\n\n".join(system) or None,
            "messages": [
                {"role": message.role.value, "content": message.text}
                for message in request.messages
                if message.role is not Role.SYSTEM
            ],
            "max_tokens": max_output_tokens(request, model) or min(model.max_output, _DEFAULT_MAX_TOKENS),
            "stop_sequences": list(request.stop) or None,
            "stream": True if stream else None,
            **_sampling(model, request),
        }
        sent = canonical_json({name: value for name, value in body.items() if value is not None})
        return HttpRequest("POST", f"{profile.base_url}/messages", auth_headers(profile, api_key), sent)

    def parse_response(self, body: bytes) -> Completion:
        message = read_payload(_Message, body)
        return Completion(
            text="".join(block.text for block in message.content if block.type == "text"),
            finish_reason=_finish(message.stop_reason) or FinishReason.STOP,
            model=message.model,
            usage=self.normalise_usage(message.usage or {}),
        )

    def parse_event(self, data: str) -> StreamPart:
        event = read_payload(_Event, data)
        match event.type:
            case "error":
                raise _wire_error(event.error or _Error(), None)
            case "message_start":
                return StreamPart(usage=event.message.usage, model=event.message.model or None)
            case "content_block_delta" if event.delta.type == "text_delta":
                return StreamPart(delta=event.delta.text)
            case "message_delta":
                return StreamPart(finish=_finish(event.delta.stop_reason), usage=event.usage)
            case _:
                return StreamPart()  # pings, block boundaries, thinking

    def parse_error(self, status: int, body: bytes) -> WireError:
        try:
            error = read_payload(_ErrorBody, body).error
        except WireError:
            error = None  # a proxy's page, say: the status alone has to do
        return _wire_error(error or _Error(), status)

    def normalise_usage(self, raw: Mapping[str, Any]) -> Usage:
        """`input_tokens` excludes both sorts of cached tokens."""
        usage = read_usage(_Usage, raw)
        batch = usage.service_tier == "batch"
        return Usage(
            input_uncached=usage.input_tokens or 0,
            cache_read=usage.cache_read_input_tokens or 0,
            cache_write=usage.cache_creation_input_tokens or 0,
            output=usage.output_tokens or 0,
            tier="standard" if batch else usage.service_tier or "standard",
            batch=batch,
            raw=dict(raw) or None,
        )


def _sampling(model: Model, request: ChatRequest) -> dict[str, float | None]:
    """Temperature ends at 1 here, and models that take both values refuse them together."""
    if not model.can(Capability.SAMPLING):
        return {}
    if request.temperature is not None:
        return {"temperature": min(request.temperature, _TOP_TEMPERATURE)}
    return {"top_p": request.top_p}


def _finish(reason: str | None) -> FinishReason | None:
    return None if reason is None else _FINISH.get(reason, FinishReason.STOP)


def _wire_error(error: _Error, status: int | None) -> WireError:
    return WireError(safe_message(status, error.type, error.message), code=error.type, status=status)
