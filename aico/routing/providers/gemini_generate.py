"""Google's generateContent."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr

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
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "MALFORMED_FUNCTION_CALL": FinishReason.TOOL_CALLS,
    "UNEXPECTED_TOOL_CALL": FinishReason.TOOL_CALLS,
}


class _Error(Payload):
    code: int | None = None
    status: str | None = None
    message: str | None = None


class _ErrorBody(Payload):
    error: _Error | None = None


class _Part(Payload):
    text: str = ""
    thought: bool = False


class _Content(Payload):
    parts: tuple[_Part, ...] = ()


class _Candidate(Payload):
    content: _Content = _Content()
    finish_reason: str | None = Field(default=None, alias="finishReason")


class _PromptFeedback(Payload):
    block_reason: str | None = Field(default=None, alias="blockReason")


class _Answer(Payload):
    candidates: tuple[_Candidate, ...] = ()
    prompt_feedback: _PromptFeedback = Field(default=_PromptFeedback(), alias="promptFeedback")
    usage: dict[str, Any] | None = Field(default=None, alias="usageMetadata")
    model: str = Field(default="", alias="modelVersion")
    error: _Error | None = None

    @property
    def text(self) -> str:
        parts = self.candidates[0].content.parts if self.candidates else ()
        return "".join(part.text for part in parts if not part.thought)

    @property
    def finish(self) -> FinishReason | None:
        if self.prompt_feedback.block_reason is not None:
            return FinishReason.CONTENT_FILTER
        reason = self.candidates[0].finish_reason if self.candidates else None
        # Safety, recitation, language, blocklist and their like all mean that the answer was withheld.
        return None if reason is None else _FINISH.get(reason, FinishReason.CONTENT_FILTER)


class _Usage(Payload):
    prompt: Tokens = Field(default=0, alias="promptTokenCount")
    tool_prompt: Tokens = Field(default=0, alias="toolUsePromptTokenCount")
    cached: Tokens = Field(default=0, alias="cachedContentTokenCount")
    candidates: Tokens = Field(default=0, alias="candidatesTokenCount")
    thoughts: Tokens = Field(default=0, alias="thoughtsTokenCount")


class GeminiGenerate:
    def build_request(
        self, profile: Profile, api_key: SecretStr | None, model: Model, request: ChatRequest, *, stream: bool
    ) -> HttpRequest:
        system = [{"text": message.text} for message in request.messages if message.role is Role.SYSTEM]
        sampling = model.can(Capability.SAMPLING)
        config = {
            "maxOutputTokens": max_output_tokens(request, model),
            "temperature": request.temperature if sampling else None,
            "topP": request.top_p if sampling else None,
            "stopSequences": list(request.stop) or None,
            "seed": request.seed,
            "responseMimeType": "application/json" if request.response_format == "json_object" else None,
        }
        body = {
            "contents": [
                {
                    "role": "model" if message.role is Role.ASSISTANT else "user",
                    "parts": [{"text": message.text}],
                }
                for message in request.messages
                if message.role is not Role.SYSTEM
            ],
            "systemInstruction": {"parts": system} if system else None,
            "generationConfig": {name: value for name, value in config.items() if value is not None} or None,
        }
        sent = canonical_json({name: value for name, value in body.items() if value is not None})
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        url = f"{profile.base_url}/models/{quote(model.provider_model, safe='')}:{method}"
        return HttpRequest("POST", url, auth_headers(profile, api_key), sent)

    def parse_response(self, body: bytes) -> Completion:
        answer = _readable(body)
        if answer.finish is None:
            raise WireError("unreadable answer: candidates: missing", code="unreadable")
        return Completion(
            text=answer.text,
            finish_reason=answer.finish,
            model=answer.model,
            usage=self.normalise_usage(answer.usage or {}),
        )

    def parse_event(self, data: str) -> StreamPart:
        answer = _readable(data)
        return StreamPart(delta=answer.text, finish=answer.finish, usage=answer.usage, model=answer.model or None)

    def parse_error(self, status: int, body: bytes) -> WireError:
        try:
            error = read_payload(_ErrorBody, body).error
        except WireError:
            error = None  # a proxy's page, say: the status alone has to do
        return _wire_error(error or _Error(), status)

    def normalise_usage(self, raw: Mapping[str, Any]) -> Usage:
        """`promptTokenCount` includes cached tokens; thoughts are billed as output beside the candidates' tokens."""
        usage = read_usage(_Usage, raw)
        cached = min(usage.cached, usage.prompt)
        return Usage(
            input_uncached=usage.prompt - cached + usage.tool_prompt,
            cache_read=cached,
            output=usage.candidates + usage.thoughts,
            reasoning=usage.thoughts,
            raw=dict(raw) or None,
        )


def _readable(body: bytes | str) -> _Answer:
    answer = read_payload(_Answer, body)
    if answer.error is not None:
        raise _wire_error(answer.error, answer.error.code)
    return answer


def _wire_error(error: _Error, status: int | None) -> WireError:
    return WireError(safe_message(status, error.status, error.message), code=error.status, status=status)
