"""Into whose account a batch goes: the operator's, or the one of the tenant's own key that it was formed for."""

from collections.abc import Mapping
from types import MappingProxyType

from aico.routing.providers.batches.lane import BatchLane
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.store.lanes import HeldBatch
from aico.workers.keyring import Keyring

_NONE: Mapping[str, BatchLane] = MappingProxyType({})


class LaneDoors:
    """`operators` are lanes with the operator's keys, `tenants` lanes that wait for one, both by provider."""

    def __init__(
        self,
        operators: Mapping[str, BatchLane],
        tenants: Mapping[str, BatchLane] = _NONE,
        keyring: Keyring | None = None,
    ) -> None:
        self._operators = operators
        self._tenants = tenants
        self._keyring = keyring or Keyring(None)

    def any_to(self, provider: str) -> BatchLane | None:
        """To see what a batch may hold, before it is known whose it will be."""
        return self._operators.get(provider) or self._tenants.get(provider)

    def to(self, held: HeldBatch) -> BatchLane | None:
        """The lane of this batch, in each of its steps with the same key; None where it is not open any more.

        Raises ProviderError where it was made with the tenant's own key and that cannot be read.
        """
        if not held.own_account:
            return self._operators.get(held.provider)
        if held.own_key is None:
            raise ProviderError(FailureKind.FATAL, "the tenant has deleted the key that the batch was made with")
        lane = self._tenants.get(held.provider)
        return lane and lane.with_key(self._keyring.open(held.own_key).api_key)
