"""Who is asking? An API key or a Supabase access token, each remembered for a few seconds."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from aico.api.credentials import TENANT_HEADER, Credentials
from aico.api.key_uses import KeyUses
from aico.api.tokens import SignedIn, TokenVerifier
from aico.core import changes
from aico.core.access import KEY_PERMISSIONS, ROLE_PERMISSIONS, Permission, Role
from aico.core.assignment import NO_PROGRAMME, Programme
from aico.core.errors import Forbidden, Unauthorized
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, CachePersonal
from aico.core.keys import KEY_PREFIX, hash_key
from aico.core.plans import Plan
from aico.core.redaction import PiiPolicy
from aico.store import api_keys, members, tenants
from aico.store.aio import AsyncDatabase
from aico.store.members import Membership
from aico.store.scope import Scope

_REMEMBERED = 10_000
_NOT_YOURS = "you are not a member of this tenant"
PERSONAL_NAME = "Personal"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks, in one tenant: an API key or a user."""

    tenant: UUID
    permissions: frozenset[Permission]
    api_key: UUID | None = None
    user: UUID | None = None
    role: Role | None = None  # a user's
    session: UUID | None = None  # the sign-in of a user whose token names one
    models: frozenset[str] | None = None  # that may answer; None: all
    cache_mode: CacheMode | None = None  # of the tenant's policy; None: the service's
    cache_personal: CachePersonal = CachePersonal.USER  # likewise
    pii: PiiPolicy = PiiPolicy.OFF  # likewise
    programme: Programme = NO_PROGRAMME  # likewise

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"key:{self.api_key}" if self.api_key else f"user:{self.user}"

    @property
    def known_as(self) -> frozenset[str]:
        """The messages on the channel that are about it."""
        return frozenset({self.actor, changes.of_tenant(self.tenant)})

    def require(self, permission: Permission) -> None:
        """Raises Forbidden."""
        if permission not in self.permissions:
            if self.api_key:
                way = f"an admin, or `aico keys create NAME --scope {permission}`, makes one that has it"
                raise Forbidden(f"this API key's scopes do not include {permission}; {way}")
            raise Forbidden(f"your role in this tenant does not include {permission}")


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Whether users without a tenant get one of their own, and on which plan."""

    welcome: bool
    plan: Plan


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    until: float  # of the monotonic clock
    hearing: object  # the connection on which a revocation would have been heard


class Authenticator:
    """O(1) per request while a credential is remembered; else one statement, the same for known and unknown keys.

    Revocations come over a channel. `hearing` is what it is heard on at the moment, or None: then nothing is remembered
    and nothing that was remembered counts, so that every request asks the database.
    """

    def __init__(
        self,
        database: AsyncDatabase,
        verifier: TokenVerifier,
        uses: KeyUses,
        newcomers: Newcomers,
        hearing: Callable[[], object | None],
        remember_seconds: float,
    ) -> None:
        self._database = database
        self._verifier = verifier
        self._uses = uses
        self._newcomers = newcomers
        self._hearing = hearing
        self._remember = remember_seconds
        self._known: dict[bytes, _Known] = {}
        self._heard = 0  # messages; what is asked while one comes in is not remembered

    async def principal(self, credentials: Credentials) -> Principal:
        """Raises Unauthorized for a credential that proves nothing, Forbidden for one that opens another tenant."""
        memory = hashlib.sha256(f"{credentials.tenant}\n{credentials.secret}".encode()).digest()
        hearing, heard = self._hearing(), self._heard
        known = self._known.get(memory)
        if known is not None and known.hearing is hearing and known.until > time.monotonic():
            principal = known.principal
        else:
            principal, valid_seconds = await self._identify(credentials)
            if hearing is not None and heard == self._heard:
                self._keep(memory, _Known(principal, time.monotonic() + min(self._remember, valid_seconds), hearing))
        structlog.contextvars.bind_contextvars(tenant_id=str(principal.tenant))  # all lines of the request name it
        if principal.api_key is not None:
            self._uses.note(principal.tenant, principal.api_key)
        return principal

    async def user(self, credentials: Credentials) -> SignedIn:
        """The signed-in user, in whatever tenant. Raises Unauthorized, for API keys too."""
        if credentials.secret.startswith(KEY_PREFIX):
            raise Unauthorized("sign in as a user: an API key does not do here")
        signed_in = await self._verified(credentials.secret)
        await self._still_signed_in(signed_in.user, signed_in.session)
        return signed_in

    async def memberships(self, user: UUID) -> list[Membership]:
        """Of a signed-in user. Whoever belongs nowhere gets a tenant of his own, where that is the operator's will."""
        found = await self._database.run(Scope.user(user), members.memberships())
        if found or not self._newcomers.welcome:
            return found
        make = tenants.make(new_id(), user, PERSONAL_NAME, self._newcomers.plan, personal=True)
        await self._database.run(Scope.system(), make)
        return await self._database.run(Scope.user(user), members.memberships())  # perhaps another request made it

    async def confirm(self, principal: Principal) -> None:
        """Raises Unauthorized for a user who has signed out since the token was issued."""
        if principal.user is not None:
            await self._still_signed_in(principal.user, principal.session)

    def hear(self, message: str) -> None:
        """Forget at once whom a message on the channel is about."""
        self._heard += 1
        gone = [memory for memory, known in self._known.items() if message in known.principal.known_as]
        for memory in gone:
            del self._known[memory]

    def _keep(self, memory: bytes, known: _Known) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[memory] = known

    async def _identify(self, credentials: Credentials) -> tuple[Principal, float]:
        """With the seconds for which its credential is valid."""
        if credentials.secret.startswith(KEY_PREFIX):
            return await self._key_holder(credentials)
        signed_in = await self._verified(credentials.secret)
        member = await self._membership(signed_in.user, credentials.tenant)
        principal = Principal(
            member.tenant,
            ROLE_PERMISSIONS[member.role],
            user=signed_in.user,
            role=member.role,
            session=signed_in.session,
            cache_mode=member.cache_mode,
            cache_personal=member.cache_personal,
            pii=member.pii,
            programme=member.programme,
        )
        return principal, signed_in.expires_at - time.time()

    async def _still_signed_in(self, user: UUID, session: UUID | None) -> None:
        """One statement, never remembered; none for a token that names no session."""
        if session is None:
            return
        (lives,) = await self._database.run(Scope.system(), members.session_lives(session, user))
        if not lives:
            raise Unauthorized("you have signed out: sign in again")

    async def _verified(self, token: str) -> SignedIn:
        if not self._verifier.configured:
            raise Unauthorized("the API key is not valid")
        return await asyncio.to_thread(self._verifier.verify, token)

    async def _membership(self, user: UUID, wanted: str | None) -> Membership:
        """Raises Forbidden, the same for tenants that exist and for those that do not."""
        if wanted is None:
            found = await self.memberships(user)
        else:
            belongs = await self._database.run(Scope.user(user), members.memberships())
            found = [member for member in belongs if str(member.tenant) == wanted]
        if not found:
            raise Forbidden(_NOT_YOURS)
        if len(found) > 1:
            raise Forbidden(
                f"you belong to several tenants: name one in the {TENANT_HEADER} header", param=TENANT_HEADER
            )
        return found[0]

    async def _key_holder(self, credentials: Credentials) -> tuple[Principal, float]:
        holders = await self._database.run(Scope.system(), api_keys.authenticate(hash_key(credentials.secret)))
        if not holders:
            raise Unauthorized("the API key is not valid")
        holder = holders[0]
        if credentials.tenant not in {None, str(holder.tenant)}:
            raise Forbidden("this API key does not open the tenant that is named", param=TENANT_HEADER)
        principal = Principal(
            holder.tenant,
            holder.scopes or KEY_PERMISSIONS,
            api_key=holder.key,
            models=holder.models,
            cache_mode=holder.cache_mode,
            cache_personal=holder.cache_personal,
            pii=holder.pii,
            programme=holder.programme,
        )
        return principal, float("inf") if holder.valid_seconds is None else holder.valid_seconds
