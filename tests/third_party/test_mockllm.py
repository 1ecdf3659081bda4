"""Two wire formats against `mockllm`, which speaks OpenAI's whole and streamed and Anthropic's whole."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from aico.core.chat import ChatRequest, Completion, FinishReason, Message, Role
from aico.routing.models import Model
from aico.routing.providers.failures import ProviderError
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import OnDelta, Provider

ASKED = ChatRequest(messages=(Message(role=Role.USER, content="What is the capital of Norway?"),))
MODEL = Model(id="m", provider="any", provider_model="model-1", quality=0.5, context_window=10_000, max_output=1_000)


def ask(url: str, name: str, on_delta: OnDelta | None = None) -> Completion:
    profile = replace(PROFILE_BY_NAME[name], base_url=f"{url}/v1")
    provider = Provider(profile, SecretStr("stranger"), max_connections=1)
    try:
        return provider.send_message(ASKED, MODEL, timeout=20, on_delta=on_delta)
    finally:
        provider.close()


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_whole_answer(mockllm: str, name: str) -> None:
    completion = ask(mockllm, name)
    assert (completion.text, completion.finish_reason) == ("It is Oslo.", FinishReason.STOP)
    assert completion.model == "model-1"
    assert completion.usage.input_total > 0
    assert completion.usage.output > 0


def test_a_streamed_answer_without_usage(mockllm: str) -> None:
    deltas: list[str] = []
    completion = ask(mockllm, "openai", deltas.append)
    assert (completion.text, completion.finish_reason) == ("It is Oslo.", FinishReason.STOP)
    assert (deltas, completion.usage.total) == (list("It is Oslo."), 0)


def test_a_stream_in_no_known_form_is_no_empty_answer(mockllm: str) -> None:
    """Its stream for Anthropic's format has other events than Anthropic's."""
    deltas: list[str] = []
    with pytest.raises(ProviderError, match="unreadable"):
        ask(mockllm, "anthropic", deltas.append)
    assert deltas == []
