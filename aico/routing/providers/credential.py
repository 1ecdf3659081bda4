"""With whose key a provider is called."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from pydantic import SecretStr

from aico.core.attempts import KeySource
from aico.routing.providers.failures import ProviderError

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Credential:
    """A tenant's own key. `id` tells one account from another without being a secret."""

    id: UUID
    api_key: SecretStr


# The tenant's own key for the provider of that name; None: the operator's is to be used. Raises ProviderError where the
# tenant has one that cannot be read: nobody else's takes its place.
Credentials = Callable[[str], Credential | None]


def operators(_: str) -> None:
    """Nobody brings a key."""


def source_of(credential: Credential | None) -> KeySource:
    return KeySource.OPERATOR if credential is None else KeySource.TENANT


def own_key_refused(provider: str, error: ProviderError) -> str | None:
    """What to say where it was the tenant's own key that the provider did not accept; None where it was not."""
    if error.http_status not in _REFUSED:
        return None
    return f"{provider} refused the tenant's own key, and the operator's is not used instead: {error.message}"
