"""What a trace says of one call to a provider: told when it has ended, whichever way."""

from aico.core.attempts import Attempt
from aico.core.chat import ChatRequest, Completion
from aico.routing.places import Target
from aico.routing.providers.failures import ProviderError
from aico.tracing import genai, spans
from aico.tracing.spans import Kind, nanos


def trace_call(
    target: Target,
    request: ChatRequest,
    attempt: Attempt,
    completion: Completion | None,
    error: ProviderError | None,
    *,
    streamed: bool,
) -> None:
    cause = None if error is None or error.cause is None else error.cause.value
    model = target.model.provider_model
    spans.told(
        genai.span_name("chat", model),
        nanos(attempt.at),
        genai.call_attributes(request, attempt, model, completion, address=target.provider.address, streamed=streamed),
        kind=Kind.CLIENT,
        error=genai.error_type(attempt, cause),
    )
