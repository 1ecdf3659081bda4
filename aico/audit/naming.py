"""Which model of which provider a log means: logs name them with prefixes, dates and the words of their gateways."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from genai_prices import data_snapshot

from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.providers.profiles import PROFILE_BY_NAME, PROFILES

# What gateways call the providers whose prices are known. Azure sells OpenAI's models at OpenAI's list prices.
_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        **{profile.name: profile.name for profile in PROFILES},
        **dict.fromkeys(("azure", "azure_ai", "text-completion-openai"), "openai"),
        **dict.fromkeys(("gemini", "vertex_ai", "google_ai_studio"), "google"),
    }
)
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest)$")


@dataclass(frozen=True)
class Named:
    """`provider` is None where no price of the name is known; `model` where the catalogue has no rank for it."""

    name: str  # for the price book
    provider: str | None = None
    model: Model | None = None

    @property
    def key(self) -> str:
        return self.model.id if self.model is not None else self.name


class Names:
    def __init__(self, catalogue: Catalogue) -> None:
        self._models = catalogue.all_models
        self._priced = frozenset((entry.provider, entry.model) for entry in catalogue.price_entries)
        self.find = lru_cache(maxsize=None)(self._find)

    def _find(self, name: str, hint: str | None = None) -> Named:
        """`hint` is the provider as the log names it. Names go to terminals and settings: they stay on their line."""
        name = "".join(character for character in name if character.isprintable())
        before, slash, rest = name.partition("/")
        provider = _PROVIDERS.get(before) if slash else None
        bare = rest if provider is not None else name
        provider = provider or _PROVIDERS.get(hint or "")
        undated = _DATE.sub("", bare)
        for wanted in (bare, undated):
            for model in self._models:
                if wanted in {model.id, model.provider_model} and provider in {None, model.provider}:
                    return Named(model.id, model.provider, model)
        known = next((one for one in self._sellers(provider) if self._sells(one, bare)), None)
        return Named(bare, known)

    def _sellers(self, provider: str | None) -> Iterator[str]:
        return iter((provider,)) if provider is not None else (profile.name for profile in PROFILES)

    def _sells(self, provider: str, name: str) -> bool:
        if (provider, name) in self._priced:
            return True
        prices = PROFILE_BY_NAME[provider].prices_id
        if prices is None:
            return False
        try:
            data_snapshot.get_snapshot().find_provider_model(name, None, prices, None)
        except LookupError:
            return False
        return True
