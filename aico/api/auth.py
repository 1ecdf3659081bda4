"""Who is asking? An API key or a Supabase access token, each remembered for a few seconds."""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from uuid import UUID

from aico.api.tokens import TokenVerifier
from aico.core.access import KEY_PERMISSIONS, ROLE_PERMISSIONS, Permission
from aico.core.errors import Forbidden, Unauthorized
from aico.core.jobs import CacheMode
from aico.core.keys import KEY_PREFIX, hash_key
from aico.core.redaction import PiiPolicy
from aico.store import tenants
from aico.store.aio import AsyncDatabase
from aico.store.scope import Scope

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks, in one tenant: an API key or a user."""

    tenant: UUID
    permissions: frozenset[Permission]
    api_key: UUID | None = None
    user: UUID | None = None
    cache_mode: CacheMode | None = None  # of the tenant's policy; None: the service's
    pii: PiiPolicy = PiiPolicy.OFF  # likewise

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"key:{self.api_key}" if self.api_key else f"user:{self.user}"

    def require(self, permission: Permission) -> None:
        """Raises Forbidden."""
        if permission not in self.permissions:
            holder = "this API key's scopes do" if self.api_key else "your role in this tenant does"
            raise Forbidden(f"{holder} not include {permission}")


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
        return Principal(
            member.tenant, ROLE_PERMISSIONS[member.role], user=user, cache_mode=member.cache_mode, pii=member.pii
        )

    async def _key_holder(self, key: str) -> Principal:
        holders = await self._database.run(Scope.system(), tenants.authenticate(hash_key(key)))
        if not holders:
            raise Unauthorized("the API key is not valid")
        holder = holders[0]
        return Principal(
            holder.tenant,
            holder.scopes or KEY_PERMISSIONS,
            api_key=holder.key,
            cache_mode=holder.cache_mode,
            pii=holder.pii,
        )


def _bearer(authorization: str | None) -> str:
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthorized("send `Authorization: Bearer <API key>`")
    return credential.strip()
