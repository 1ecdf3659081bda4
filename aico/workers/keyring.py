"""Tenants' own provider keys, decrypted for the calls that need them and forgotten soon after."""

import threading
import time
from collections.abc import Callable, Mapping

from pydantic import SecretStr

from aico.core.envelope import KeyEncryption, UnreadableSecret, unseal
from aico.core.errors import Unavailable
from aico.routing.providers.credential import Credential, Credentials
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.store.provider_keys import TenantKey

REMEMBER_SECONDS = 60.0
_KEPT = 1000


class Keyring:
    """Thread-safe. `keys` None: nothing is configured that could decrypt. `clock` gives seconds that never go back."""

    def __init__(self, keys: KeyEncryption | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        # By the whole row, so that another secret, or a row that was tampered with, is never taken for this one.
        self._known: dict[TenantKey, tuple[float, SecretStr]] = {}

    def credentials(self, own: Mapping[str, TenantKey]) -> Credentials:
        """Of a tenant with these keys, by provider."""
        return lambda provider: self.open(own[provider]) if provider in own else None

    def open(self, key: TenantKey) -> Credential:
        """Raises ProviderError: a retryable one while the key management service is away."""
        now = self._clock()
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] > now:
            return Credential(key.id, known[1])
        secret = self._decrypted(key)
        with self._lock:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = (now + REMEMBER_SECONDS, secret)
        return Credential(key.id, secret)

    def _decrypted(self, key: TenantKey) -> SecretStr:
        unreadable = f"the tenant's own key for {key.provider} cannot be read, and the operator's is not used instead"
        if self._keys is None:
            raise ProviderError(FailureKind.FATAL, f"{unreadable}: this worker has no key to decrypt it with")
        try:
            return unseal(self._keys, key.sealed, bound_to=key.bound_to)
        except UnreadableSecret as error:
            raise ProviderError(FailureKind.FATAL, f"{unreadable}: {error}") from error
        except Unavailable as error:
            raise ProviderError(FailureKind.RETRYABLE, f"{unreadable}: {error.detail}") from error
