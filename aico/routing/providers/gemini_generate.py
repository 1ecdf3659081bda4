"""Google's generateContent."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import Field, FiniteFloat, SecretStr

from aico.core.chat import ChatRequest, Completion, FinishReason, Role
from aico.core.usage import Tokens, Usage
from aico.routing.models import Model
from aico.routing.providers.assembly import assembled
from aico.routing.providers.failures import KEY_REFUSED, UNREADABLE
from aico.routing.providers.gemini_content import contents_json, generation_config, tool_fields
from aico.routing.providers.logprobs import Candidate, Logprobs, Token
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
    claimed_status,
    encode_body,
    read_payload,
    read_usage,
    safe_message,
)

_FINISH = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "MALFORMED_FUNCTION_CALL": FinishReason.TOOL_CALLS,
    "UNEXPECTED_TOOL_CALL": FinishReason.TOOL_CALLS,
    "FUNCTION_CALL": FinishReason.TOOL_CALLS,  # not Google, but servers that speak its format
}


# What a call was served as, where it says so; a word that is not known here names a tier of its own.
_TIERS = {
    "TRAFFIC_TYPE_UNSPECIFIED": "standard",
    "ON_DEMAND": "standard",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
}


class _Error(Payload):
    code: int | None = None
    status: str | None = None
    message: str | None = None
    details: Any = None

    @property
    def name(self) -> str | None:
        """Google answers 400 to a key that it does not know, and only the details say so."""
        details = self.details if isinstance(self.details, list) else []
        reasons = {detail.get("reason") for detail in details if isinstance(detail, dict)}
        return KEY_REFUSED if "API_KEY_INVALID" in reasons else self.status


class _ErrorBody(Payload):
    error: _Error | None = None


class _FunctionCall(Payload):
    id: str | None = None
    name: str = ""
    args: dict[str, Any] | None = None


class _Part(Payload):
    text: str = ""
    thought: bool = False
    call: _FunctionCall | None = Field(default=None, alias="functionCall")


class _Content(Payload):
    parts: tuple[_Part, ...] = ()


class _LogprobsCandidate(Payload):
    token: str = ""
    logprob: FiniteFloat = Field(default=0.0, alias="logProbability")  # certainty: zeros are left out

    def candidate(self) -> Candidate:
        return Candidate(token=self.token, logprob=self.logprob, bytes=tuple(self.token.encode()))


class _TopCandidates(Payload):
    candidates: tuple[_LogprobsCandidate, ...] = ()


class _LogprobsResult(Payload):
    chosen: tuple[_LogprobsCandidate, ...] = Field(default=(), alias="chosenCandidates")
    top: tuple[_TopCandidates, ...] = Field(default=(), alias="topCandidates")  # step by step, like the chosen ones

    def logprobs(self) -> Logprobs:
        tops = (*self.top, *(_TopCandidates() for _ in self.chosen[len(self.top) :]))
        return Logprobs(
            content=tuple(
                Token(
                    **chosen.candidate().model_dump(),
                    top_logprobs=tuple(other.candidate() for other in top.candidates),
                )
                for chosen, top in zip(self.chosen, tops, strict=False)
            )
        )


class _Candidate(Payload):
    index: int | None = None
    content: _Content = _Content()
    finish_reason: str | None = Field(default=None, alias="finishReason")
    logprobs: _LogprobsResult | None = Field(default=None, alias="logprobsResult")

    def part(self, place: int) -> ChoicePart:
        shown = [part for part in self.content.parts if not part.thought]
        reason = self.finish_reason
        return ChoicePart(
            index=place if self.index is None else self.index,
            text="".join(part.text for part in shown),
            calls=tuple(
                CallPart(id=part.call.id, name=part.call.name, arguments=arguments_text(part.call.args or {}))
                for part in shown
                if part.call is not None
            ),
            logprobs=self.logprobs.logprobs() if self.logprobs is not None else None,
            # Safety, recitation, language, blocklist and their like all mean that the answer was withheld.
            finish=None if reason is None else _FINISH.get(reason, FinishReason.CONTENT_FILTER),
        )


class _PromptFeedback(Payload):
    block_reason: str | None = Field(default=None, alias="blockReason")


class _Answer(Payload):
    candidates: tuple[_Candidate, ...] = ()
    prompt_feedback: _PromptFeedback = Field(default=_PromptFeedback(), alias="promptFeedback")
    usage: dict[str, Any] | None = Field(default=None, alias="usageMetadata")
    model: str = Field(default="", alias="modelVersion")
    error: _Error | None = None

    @property
    def choices(self) -> tuple[ChoicePart, ...]:
        if self.prompt_feedback.block_reason is not None:
            return (ChoicePart(finish=FinishReason.CONTENT_FILTER),)
        return tuple(candidate.part(place) for place, candidate in enumerate(self.candidates))


class _Usage(Payload):
    prompt: Tokens = Field(default=0, alias="promptTokenCount")
    tool_prompt: Tokens = Field(default=0, alias="toolUsePromptTokenCount")
    cached: Tokens = Field(default=0, alias="cachedContentTokenCount")
    candidates: Tokens = Field(default=0, alias="candidatesTokenCount")
    thoughts: Tokens = Field(default=0, alias="thoughtsTokenCount")
    traffic: str | None = Field(default=None, alias="trafficType")


class GeminiGenerate:
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
        del caching  # what begins alike is found without being told
        system = [{"text": message.text} for message in request.messages if message.role is Role.SYSTEM]
        body = {
            "contents": contents_json(request.messages),
            "systemInstruction": {"parts": system} if system else None,
            **tool_fields(request),
            "generationConfig": generation_config(request, model),
        }
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        url = f"{profile.base_url}/models/{quote(model.provider_model, safe='')}:{method}"
        return HttpRequest("POST", url, auth_headers(profile, api_key), encode_body(body))

    def parse_response(self, body: bytes) -> Completion:
        answer = _readable(body)
        choices = answer.choices
        if not choices or any(choice.finish is None for choice in choices):
            raise WireError("unreadable answer: candidates: missing", code=UNREADABLE)
        return assembled(StreamPart(choices, answer.usage, answer.model), self.normalise_usage)

    def parse_event(self, data: str) -> StreamPart:
        answer = _readable(data)
        return StreamPart(answer.choices, answer.usage, answer.model or None)

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
            tier="standard" if usage.traffic is None else _TIERS.get(usage.traffic, usage.traffic.lower()),
            raw=dict(raw) or None,
        )


def _readable(body: bytes | str) -> _Answer:
    answer = read_payload(_Answer, body)
    if answer.error is not None:
        raise _wire_error(answer.error, claimed_status(answer.error.code))
    return answer


def _wire_error(error: _Error, status: int | None) -> WireError:
    return WireError(safe_message(status, error.status, error.message), code=error.name, status=status)
