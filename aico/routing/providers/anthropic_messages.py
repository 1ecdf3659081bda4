"""Anthropic's messages."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from aico.core.chat import ChatRequest, Completion, FinishReason, Role
from aico.core.usage import Tokens, Usage
from aico.routing.models import Capability, Model
from aico.routing.providers.anthropic_content import messages_json, output_config, tool_fields
from aico.routing.providers.anthropic_marks import mark
from aico.routing.providers.assembly import assembled
from aico.routing.providers.payload import Payload
from aico.routing.providers.profiles import Profile
from aico.routing.providers.wire import (
    CacheHint,
    CallPart,
    ChoicePart,
    HttpRequest,
    StreamPart,
    WireError,
    arguments_text,
    auth_headers,
    encode_body,
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
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None


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
    partial_json: str = ""
    stop_reason: str | None = None


class _Event(Payload):
    type: str
    index: int = 0  # of the block
    message: _Start = _Start()
    content_block: _Block = _Block()
    delta: _Delta = _Delta()
    usage: dict[str, Any] | None = None
    error: _Error | None = None


class _OutputDetails(Payload):
    thinking_tokens: Tokens | None = None


class _CacheCreation(Payload):
    ephemeral_5m_input_tokens: Tokens | None = None
    ephemeral_1h_input_tokens: Tokens | None = None


class _Usage(Payload):
    input_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens: Tokens | None = None
    output_tokens_details: _OutputDetails | None = None
    service_tier: str | None = None


class AnthropicMessages:
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
        system = [message.text for message in request.messages if message.role is Role.SYSTEM]
        body: dict[str, Any] = {
            "model": model.provider_model,
            "system": "\n\n".join(system) or None,
            "messages": messages_json(request.messages),
            "max_tokens": max_output_tokens(request, model) or min(model.max_output, _DEFAULT_MAX_TOKENS),
            "stop_sequences": list(request.stop) or None,
            "stream": True if stream else None,
            **tool_fields(request),
            "output_config": output_config(request, model),
            **_sampling(model, request),
        }
        if caching is not None:
            mark(body, caching)
        url = f"{profile.base_url}/messages"
        return HttpRequest("POST", url, auth_headers(profile, api_key), encode_body(body))

    def parse_response(self, body: bytes) -> Completion:
        message = read_payload(_Message, body)
        choice = ChoicePart(
            text="".join(block.text for block in message.content if block.type == "text"),
            calls=tuple(
                CallPart(id=block.id, name=block.name, arguments=arguments_text(block.input or {}))
                for block in message.content
                if block.type == "tool_use"
            ),
            finish=_finish(message.stop_reason) or FinishReason.STOP,
        )
        return assembled(StreamPart((choice,), message.usage, message.model), self.normalise_usage)

    def parse_event(self, data: str) -> StreamPart:
        event = read_payload(_Event, data)
        match event.type:
            case "error":
                raise _wire_error(event.error or _Error(), None)
            case "message_start":
                return StreamPart(usage=event.message.usage, model=event.message.model or None)
            case "message_delta":
                return StreamPart((ChoicePart(finish=_finish(event.delta.stop_reason)),), event.usage)
            case _:
                part = _block_part(event)
                return StreamPart((part,)) if part is not None else StreamPart()

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
        output = usage.output_tokens or 0
        details = usage.output_tokens_details
        reasoning = (details.thinking_tokens or 0) if details is not None else 0
        write, write_1h = _written(usage)
        return Usage(
            input_uncached=usage.input_tokens or 0,
            cache_read=usage.cache_read_input_tokens or 0,
            cache_write=write,
            cache_write_1h=write_1h,
            output=output,
            reasoning=min(reasoning, output),
            tier="standard" if batch else usage.service_tier or "standard",
            batch=batch,
            raw=dict(raw) or None,
        )


def _block_part(event: _Event) -> ChoicePart | None:
    """What a block's event adds to the answer: nothing where it only marks its end, pings or shows thoughts."""
    delta, block = event.delta, event.content_block
    match event.type, delta.type or block.type:
        case "content_block_delta", "text_delta":
            return ChoicePart(text=delta.text)
        case "content_block_delta", "input_json_delta":
            return ChoicePart(calls=(CallPart(event.index, arguments=delta.partial_json),))
        case "content_block_start", "tool_use":
            whole = arguments_text(block.input) if block.input else ""  # as a rule it is empty and comes in pieces
            return ChoicePart(calls=(CallPart(event.index, block.id, block.name, whole),))
        case _:
            return None


def _written(usage: _Usage) -> tuple[int, int]:
    """Tokens written to the cache, and those of them that are kept for an hour."""
    by_age = usage.cache_creation or _CacheCreation()
    hour, minutes = by_age.ephemeral_1h_input_tokens or 0, by_age.ephemeral_5m_input_tokens or 0
    written = usage.cache_creation_input_tokens
    written = hour + minutes if written is None else written
    return written, min(hour, written)


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
