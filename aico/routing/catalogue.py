"""Which models exist, which of them can be called here, and the operator's own prices and limits."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from aico.core.errors import InvalidInput, UnknownModel
from aico.core.settings import Settings
from aico.routing.models import Capability, Model, PriceEntry, RateLimit
from aico.routing.providers.profiles import PROFILE_BY_NAME, PROFILES, Profile

# What is assumed of a server of which only the model names are known; CATALOGUE_FILE can say better.
_UNDESCRIBED_QUALITY = 0.5
_UNDESCRIBED_CONTEXT = 32_768
_UNDESCRIBED_OUTPUT = 4_096
# What such servers offer as a rule and refuse aloud where they do not. Pictures, several choices and log probabilities
# are passed over in silence by some of them, so those have to be claimed in the file.
_UNDESCRIBED_CAPABILITIES = frozenset(
    {Capability.JSON, Capability.SCHEMA, Capability.TOOLS, Capability.SAMPLING, Capability.PENALTIES}
)


_OWN_KEY = ", or bring a key of your own"


@dataclass(frozen=True)
class ProviderStatus:
    name: str
    configured: bool
    switched_on_by: str  # environment variable
    models: tuple[str, ...]  # ids, also of a provider that is off
    takes_keys: bool = False  # tenants may bring keys of their own


class _CatalogueFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    models: tuple[Model, ...] = ()
    prices: tuple[PriceEntry, ...] = ()
    limits: tuple[RateLimit, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """`all_models` are every known model; `models` are those whose provider is configured."""

    all_models: tuple[Model, ...]
    providers: tuple[ProviderStatus, ...]
    price_entries: tuple[PriceEntry, ...]  # a later entry wins over an earlier one
    limits: tuple[RateLimit, ...] = ()  # the operator's; nobody else knows what their keys are granted

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The bundled catalogue, then the server's models from the settings, then the operator's file.

        Raises InvalidInput when the operator's file is missing, not TOML, or describes something impossible.
        """
        bundled = _bundled()
        own = _operator_file(settings.catalogue_file) if settings.catalogue_file else _CatalogueFile()
        by_id = {model.id: model for model in (*bundled.models, *_compatible_models(settings), *own.models)}
        for model in by_id.values():
            if model.provider not in PROFILE_BY_NAME:
                raise _impossible(f"model {model.id!r} names the unknown provider {model.provider!r}")
        _check_limits(own.limits, by_id)
        models = tuple(by_id.values())
        return cls(
            all_models=models,
            providers=tuple(_status(profile, models, settings) for profile in PROFILES),
            price_entries=(*bundled.prices, *own.prices),
            limits=own.limits,
        )

    @property
    def models(self) -> tuple[Model, ...]:
        configured = {provider.name for provider in self.providers if provider.configured}
        return tuple(model for model in self.all_models if model.provider in configured)

    def with_keys(self, providers: Collection[str]) -> Self:
        """As a tenant sees it who has keys of its own for these providers."""
        if not providers:
            return self
        switched = (
            replace(one, configured=True) if one.takes_keys and one.name in providers else one for one in self.providers
        )
        return replace(self, providers=tuple(switched))

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(model.id for model in self.all_models)

    def find(self, model_id: str) -> Model:
        """The callable model of that id; raises UnknownModel, saying what would switch on a known one that is off."""
        model = next((model for model in self.all_models if model.id == model_id), None)
        if model is None:
            raise UnknownModel(f"the model {model_id!r} does not exist", param="model")
        provider = next(provider for provider in self.providers if provider.name == model.provider)
        if not provider.configured:
            raise UnknownModel(
                f"the model {model_id!r} needs the provider {provider.name!r}, which is not configured: "
                f"set {provider.switched_on_by}{_OWN_KEY if provider.takes_keys else ''}",
                param="model",
            )
        return model


def _check_limits(limits: Sequence[RateLimit], models: Mapping[str, Model]) -> None:
    seen: set[tuple[str, str | None]] = set()
    for limit in limits:
        if limit.provider not in PROFILE_BY_NAME:
            raise _impossible(f"a limit names the unknown provider {limit.provider!r}")
        if limit.model is not None and limit.model not in models:
            raise _impossible(f"a limit of {limit.provider!r} names the unknown model {limit.model!r}")
        if limit.model is not None and models[limit.model].provider != limit.provider:
            raise _impossible(f"the model {limit.model!r} is not of the provider {limit.provider!r}")
        if (limit.provider, limit.model) in seen:
            whose = repr(limit.model) if limit.model is not None else "all of its models"
            raise _impossible(f"{limit.provider!r} has two limits for {whose}")
        seen.add((limit.provider, limit.model))


def _impossible(detail: str) -> InvalidInput:
    return InvalidInput(detail, param="catalogue_file")


def _status(profile: Profile, models: tuple[Model, ...], settings: Settings) -> ProviderStatus:
    return ProviderStatus(
        name=profile.name,
        configured=profile.configured(settings),
        switched_on_by=profile.switched_on_by,
        models=tuple(model.id for model in models if model.provider == profile.name),
        takes_keys=profile.takes_keys(settings),
    )


def _compatible_models(settings: Settings) -> tuple[Model, ...]:
    return tuple(
        Model(
            id=name,
            provider="openai_compatible",
            provider_model=name,
            quality=_UNDESCRIBED_QUALITY,
            context_window=_UNDESCRIBED_CONTEXT,
            max_output=_UNDESCRIBED_OUTPUT,
            capabilities=_UNDESCRIBED_CAPABILITIES,
        )
        for name in settings.openai_compatible_models
    )


def _bundled() -> _CatalogueFile:
    data = files("aico.routing") / "data"
    tables = [tomllib.loads((data / name).read_text("utf-8")) for name in ("models.toml", "prices.toml")]
    return _CatalogueFile.model_validate({**tables[0], **tables[1]})


def _operator_file(path: Path) -> _CatalogueFile:
    try:
        return _CatalogueFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}", param="catalogue_file") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text", param="catalogue_file") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path} is not TOML: {error}", param="catalogue_file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{path}: {where}: {first['msg']}", param="catalogue_file") from error
