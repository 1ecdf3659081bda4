"""Providers as data: where each is, how it is spoken to and what is particular about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from pydantic import SecretStr

from aico.core.provider_secrets import WeightedKey, weighted_keys
from aico.core.settings import Settings

WireName = Literal["openai_chat", "anthropic_messages", "gemini_generate"]


@dataclass(frozen=True, kw_only=True)
class Profile:
    name: str
    wire: WireName
    base_url: str = ""  # up to and including the API version, without a final slash
    key_field: str | None = None  # the setting that holds the API key; the same with an s holds more of them
    url_field: str | None = None  # the setting that holds the address, for servers whose address is not fixed
    gateway_field: str | None = None  # the setting that moves a provider to another address, such as a gateway's
    auth_header: str = "Authorization"
    auth_prefix: str = "Bearer "
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    prices_id: str | None = None  # the provider's id in genai-prices; None where no public list exists
    max_tokens_field: str = "max_tokens"
    # Knows or ignores OpenAI's fields that change how an answer is made and not what is asked: `verbosity` and the
    # hints. Others refuse a call for a field that they do not know.
    takes_hints: bool = False
    # How it is told what to keep of a prompt: a key that is alike for prompts that begin alike, or marks in the prompt.
    cache_hints: Literal["key", "marks"] | None = None
    least_cached: int = 1024  # tokens; what is shorter is not kept
    batches: bool = False  # the provider has a batch API in its own format
    batches_field: str | None = None  # the setting that says so, for servers that differ

    @property
    def switched_on_by(self) -> str:
        """The environment variable without which this provider stays off."""
        return (self.url_field or self.key_field or "").upper()

    def configured(self, settings: Settings) -> bool:
        if self.url_field is not None:
            return bool(getattr(settings, self.url_field))
        return bool(self.api_keys(settings))

    def takes_keys(self, settings: Settings) -> bool:
        """Whether tenants may bring keys of their own: it knows keys, and it is known where it is."""
        return self.key_field is not None and bool(self.located(settings).base_url)

    def has_batches(self, settings: Settings) -> bool:
        return self.batches or (self.batches_field is not None and bool(getattr(settings, self.batches_field)))

    def located(self, settings: Settings) -> "Profile":
        """The same profile at the address that the settings give, where they give one."""
        field = self.url_field or self.gateway_field
        address = getattr(settings, field) if field else None
        return replace(self, base_url=address.rstrip("/")) if address else self

    def api_key(self, settings: Settings) -> SecretStr | None:
        """The first of the operator's keys, for what knows but one."""
        return next((key.api_key for key in self.api_keys(settings)), None)

    def api_keys(self, settings: Settings) -> tuple[WeightedKey, ...]:
        """The operator's keys, each once."""
        if self.key_field is None:
            return ()
        first: SecretStr | None = getattr(settings, self.key_field)
        more: SecretStr | None = getattr(settings, f"{self.key_field}s")
        listed = (
            *((WeightedKey(first),) if first else ()),
            *(weighted_keys(more.get_secret_value()) if more else ()),
        )
        return tuple({key.api_key: key for key in listed}.values())  # the list may give the first key its weight


PROFILES: tuple[Profile, ...] = (
    Profile(
        name="openai",
        wire="openai_chat",
        base_url="https://api.openai.com/v1",
        key_field="openai_api_key",
        gateway_field="openai_gateway_url",
        prices_id="openai",
        max_tokens_field="max_completion_tokens",
        takes_hints=True,
        cache_hints="key",
        batches=True,
    ),
    Profile(
        name="anthropic",
        wire="anthropic_messages",
        base_url="https://api.anthropic.com/v1",
        key_field="anthropic_api_key",
        gateway_field="anthropic_gateway_url",
        auth_header="x-api-key",
        auth_prefix="",
        headers=MappingProxyType({"anthropic-version": "2023-06-01"}),
        prices_id="anthropic",
        cache_hints="marks",
        least_cached=4096,  # of the models that ask for most: a mark that is too early is passed over
        batches=True,
    ),
    Profile(
        name="google",
        wire="gemini_generate",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        key_field="google_api_key",
        gateway_field="google_gateway_url",
        auth_header="x-goog-api-key",
        auth_prefix="",
        prices_id="google",
        batches=True,
    ),
    Profile(
        name="cerebras",
        wire="openai_chat",
        base_url="https://api.cerebras.ai/v1",
        key_field="cerebras_api_key",
        prices_id="cerebras",
        max_tokens_field="max_completion_tokens",
    ),
    Profile(
        name="openrouter",
        wire="openai_chat",
        base_url="https://openrouter.ai/api/v1",
        key_field="openrouter_api_key",
        prices_id="openrouter",
        takes_hints=True,
    ),
    Profile(
        name="openai_compatible",
        wire="openai_chat",
        key_field="openai_compatible_api_key",
        url_field="openai_compatible_url",
        batches_field="openai_compatible_batches",
    ),
    Profile(name="local", wire="openai_chat", url_field="local_model_url"),
    Profile(name="simulated", wire="openai_chat", url_field="simulated_model_url", takes_hints=True),
)

PROFILE_BY_NAME: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in PROFILES})
