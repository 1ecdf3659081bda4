"""Who is asking? An API key or a Supabase access token, each remembered for a few seconds."""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from uuid import UUID

from aico.api.tokens import TokenVerifier
from aico.core.errors import Forbidden, Unauthorized
from aico.core.jobs import CacheMode
from aico.core.keys import KEY_PREFIX, hash_key
from aico.store import tenants
from aico.store.aio import AsyncDatabase
from aico.store.scope import Scope

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    tenant: UUID
    api_key: UUID | None = None
    user: UUID | None = None
    may_write: bool = True
    cache_mode: CacheMode | None = None  # of the tenant's policy; None: the service's


class Authenticator:
    """O(1) per request while a credential is remembered; else one statement. Revocation is seen after `remember`."""

    def __init__(self, database: AsyncDatabase, verifier: TokenVerifier, remember_seconds: float) -> None:
        self._database = database
        self._verifier = verifier
        self._remember = remember_seconds
        self._known: dict[bytes, tuple[float, Principal]] = {}

    async def principal(self, authorization: str | None, wanted_tenant: str | None) -> Principal:
        """Raises Unauthorized for a credential that proves nothing, Forbidden for one that opens another tenant."""
        credential = _bearer(authorization)
        memory = hashlib.sha256(f"{wanted_tenant}\n{credential}".encode()).digest()
        known = self._known.get(memory)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        principal = await self._identify(credential, wanted_tenant)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[memory] = (time.monotonic() + self._remember, principal)
        return principal

    async def _identify(self, credential: str, wanted_tenant: str | None) -> Principal:
        if credential.startswith(KEY_PREFIX):
            return await self._key_holder(credential)
        if not self._verifier.configured:
            raise Unauthorized("the API key is not valid")
        user = await asyncio.to_thread(self._verifier.verify, credential)
        memberships = await self._database.run(Scope.user(user), tenants.memberships())
        if wanted_tenant is not None:
            memberships = [member for member in memberships if str(member.tenant) == wanted_tenant.lower()]
        if not memberships:
            raise Forbidden("you are not a member of this tenant")
        if len(memberships) > 1:
            raise Forbidden("you belong to several tenants: name one in the X-Tenant-Id header", param="X-Tenant-Id")
        member = memberships[0]
        return Principal(member.tenant, user=user, may_write=member.role != "viewer", cache_mode=member.cache_mode)

    async def _key_holder(self, key: str) -> Principal:
        holders = await self._database.run(Scope.system(), tenants.authenticate(hash_key(key)))
        if not holders:
            raise Unauthorized("the API key is not valid")
        return Principal(holders[0].tenant, api_key=holders[0].key, cache_mode=holders[0].cache_mode)


def _bearer(authorization: str | None) -> str:
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthorized("send `Authorization: Bearer <API key>`")
    return credential.strip()
