"""With whose key a provider is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from uuid import UUID

from pydantic import SecretStr

from aico.core.attempts import KeySource
from aico.core.settings import Settings
from aico.routing.providers.failures import KEY_REFUSED, ProviderError
from aico.routing.providers.profiles import PROFILES, Profile

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Credential:
    """A key. `id` tells one account from another without being a secret; of two keys, `weight` shares out the calls."""

    id: UUID
    api_key: SecretStr
    source: KeySource = KeySource.TENANT
    weight: int = 1


# The tenant's own key for the provider of that name; None: the operator's is to be used. Raises ProviderError where the
# tenant has one that cannot be read: nobody else's takes its place.
Credentials = Callable[[str], Credential | None]


def operators(_: str) -> None:
    """Nobody brings a key."""


def operator_keys(settings: Settings) -> Mapping[str, Sequence[Credential]]:
    """The operator's keys by provider, of those that are configured and know keys."""
    found = {profile.name: operators_of(profile, settings) for profile in PROFILES if profile.configured(settings)}
    return {name: keys for name, keys in found.items() if keys}


def operators_of(profile: Profile, settings: Settings) -> tuple[Credential, ...]:
    return tuple(
        Credential(_account(profile.name, key.api_key), key.api_key, KeySource.OPERATOR, key.weight)
        for key in profile.api_keys(settings)
    )


def _account(provider: str, api_key: SecretStr) -> UUID:
    """The same in every process, another for another key, and no way back to it."""
    told = f"{provider}\n{api_key.get_secret_value()}".encode()
    return UUID(bytes=blake2b(told, digest_size=16, person=b"aico operator").digest())


def source_of(credential: Credential | None) -> KeySource:
    return KeySource.OPERATOR if credential is None else credential.source


def own_key_refused(provider: str, error: ProviderError) -> str | None:
    """What to say where it was the tenant's own key that the provider did not accept; None where it was not."""
    if error.http_status not in _REFUSED and error.code != KEY_REFUSED:
        return None
    return f"{provider} refused the tenant's own key, and the operator's is not used instead: {error.message}"
