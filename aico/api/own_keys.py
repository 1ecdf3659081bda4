"""For which providers does a tenant have keys of its own? Remembered for a few seconds, as credentials are."""

import time
from collections.abc import Mapping
from uuid import UUID

from aico.routing.catalogue import Catalogue
from aico.store import provider_keys
from aico.store.aio import AsyncDatabase
from aico.store.scope import Scope

_REMEMBERED = 10_000


class OwnKeys:
    """O(1) per request while it is remembered; else one statement. A change elsewhere is seen after `remember`."""

    def __init__(self, database: AsyncDatabase, catalogue: Catalogue, remember_seconds: float) -> None:
        self._database = database
        self._catalogue = catalogue
        self._remember = remember_seconds
        self._known: dict[UUID, tuple[float, Mapping[str, UUID]]] = {}

    async def providers(self, tenant: UUID) -> frozenset[str]:
        return frozenset(await self.ids(tenant))

    async def ids(self, tenant: UUID) -> Mapping[str, UUID]:
        """Of its keys, by provider."""
        known = self._known.get(tenant)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        found = dict(await self._database.run(Scope.tenant(tenant), provider_keys.providers(tenant)))
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[tenant] = (time.monotonic() + self._remember, found)
        return found

    async def catalogue(self, tenant: UUID) -> Catalogue:
        """As the tenant sees it."""
        return self._catalogue.with_keys(await self.providers(tenant))

    def forget(self, tenant: UUID) -> None:
        """The tenant has changed its keys here."""
        self._known.pop(tenant, None)
