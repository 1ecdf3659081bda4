"""OpenTelemetry's semantic conventions for generative AI: the one place that knows their names.

They are those of release 1.41.1. `LATEST` says what the conventions under development call otherwise, for whoever asks
for it by OTEL_SEMCONV_STABILITY_OPT_IN. Neither questions nor answers are ever among the attributes, nor what callers
may write into a field, such as stop sequences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from aico.core.attempts import Attempt, AttemptOutcome
from aico.core.chat import ChatRequest, Completion
from aico.core.money import CENTS_PER_DOLLAR
from aico.tracing.spans import Attributes

OPT_IN = "gen_ai_latest_experimental"
LATEST: Mapping[str, str] = MappingProxyType(
    {"gen_ai.usage.cache_creation.input_tokens": "gen_ai.usage.cache_write.input_tokens"}
)
EVALUATION = "gen_ai.evaluation.result"

Operation = Literal["chat", "embeddings"]
# As the conventions call providers; others have their own names.
_PROVIDERS = MappingProxyType({"google": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"})


@dataclass(frozen=True, slots=True)
class Address:
    """Of a server."""

    host: str
    port: int | None = None


def names(opt_in: str) -> Mapping[str, str]:
    """What is to be renamed, by the value of OTEL_SEMCONV_STABILITY_OPT_IN."""
    return LATEST if OPT_IN in (word.strip() for word in opt_in.split(",")) else {}


def span_name(operation: Operation, model: str) -> str:
    return f"{operation} {model}"


def provider_name(provider: str) -> str:
    return _PROVIDERS.get(provider, provider)


def call_attributes(
    request: ChatRequest,
    attempt: Attempt,
    model: str,
    completion: Completion | None,
    *,
    address: Address | None,
    streamed: bool,
) -> Attributes:
    """Of one call. `model` is as the provider calls it."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider_name(attempt.provider),
        "gen_ai.request.model": model,
        "gen_ai.request.stream": streamed,
        "gen_ai.output.type": "text" if request.response_format == "text" else "json",
        "server.address": None if address is None else address.host,
        "server.port": None if address is None else address.port,
        "aico.attempt.id": str(attempt.id),
        "aico.attempt.outcome": attempt.outcome.value,
        "aico.model.id": attempt.model,
        "aico.key.source": attempt.key_source.value,
        "aico.cost.usd": dollars(attempt.cost_cents),
        **_asked(request),
        **_used(attempt),
        **_answered(completion),
    }


def _asked(request: ChatRequest) -> Attributes:
    return {
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.top_p": request.top_p,
        "gen_ai.request.seed": request.seed,
        "gen_ai.request.presence_penalty": request.presence_penalty,
        "gen_ai.request.frequency_penalty": request.frequency_penalty,
        "gen_ai.request.choice.count": request.n if request.n > 1 else None,
    }


def _used(attempt: Attempt) -> Attributes:
    """Input includes what came from the provider's cache, output what the caller does not see."""
    usage = attempt.usage
    if not usage.total:  # nothing was reported
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input_total,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read or None,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning or None,
    }


def _answered(completion: Completion | None) -> Attributes:
    if completion is None:
        return {}
    reasons = [completion.finish_reason.value, *(choice.finish_reason.value for choice in completion.more)]
    return {"gen_ai.response.model": completion.model, "gen_ai.response.finish_reasons": reasons}


def error_type(attempt: Attempt, cause: str | None) -> str | None:
    """A status, or a short word of ours: providers may put anything into the codes and the words of their errors."""
    if attempt.outcome is AttemptOutcome.OK:
        return None
    if attempt.http_status is not None and attempt.http_status >= 300:  # noqa: PLR2004 - HTTP's own number
        return str(attempt.http_status)
    return cause or attempt.outcome.value


def embedding_attributes(model: str) -> Attributes:
    """Of one call of the embedding model, which runs in our own process."""
    return {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "aico",
        "gen_ai.request.model": model,
    }


def evaluation(name: str, label: str | None, score: float | None = None) -> Attributes:
    """What a judge has said."""
    return {
        "gen_ai.evaluation.name": name,
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.score.value": score,
    }


def dollars(cents: Decimal | None) -> float | None:
    return None if cents is None else float(cents / CENTS_PER_DOLLAR)
