"""What the API process holds from start to stop, and how routes get at it."""

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, cast

import redis.asyncio
from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from aico.api.auth import Authenticator, Newcomers, Principal
from aico.api.billing_desk import BillingDesk
from aico.api.credentials import Credentials
from aico.api.embed_workers import LISTEN_SECONDS, EmbedWorkers
from aico.api.key_uses import KeyUses
from aico.api.own_keys import OwnKeys
from aico.api.rate_limit import RateLimiter
from aico.api.submitter import Submitter
from aico.api.subscription import Subscription
from aico.api.tokens import TokenVerifier
from aico.api.waiters import Waiters
from aico.core import changes
from aico.core.access import ADMINISTRATION, Permission
from aico.core.envelope import KeyEncryption
from aico.core.key_encryption import key_encryption
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.prices import PriceBook
from aico.store.aio import AsyncDatabase
from aico.workers.admission import Admission
from aico.workers.queue import DONE_CHANNEL
from aico.workers.redacting import Redactor

POOL_SIZE = 8
_CONNECT_SECONDS = 3
CPU_THREADS = 2


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: AsyncDatabase
    broker: redis.asyncio.Redis
    authenticator: Authenticator
    submitter: Submitter
    waiters: Waiters
    subscription: Subscription
    admission: Admission
    catalogue: Catalogue
    prices: PriceBook
    limiter: RateLimiter
    embed_workers: EmbedWorkers
    redactor: Redactor
    cpu: ThreadPoolExecutor  # for what would hold up the event loop
    billing: BillingDesk | None  # None: off
    keys: KeyEncryption | None  # None: no secret of a tenant can be kept
    own_keys: OwnKeys


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    database, catalogue = AsyncDatabase(settings.database_url, max_size=POOL_SIZE), Catalogue.from_settings(settings)
    broker, listener, answers = _connections(settings.redis_url.get_secret_value())
    cpu = ThreadPoolExecutor(CPU_THREADS, thread_name_prefix="cpu")
    waiters, uses = Waiters(database), KeyUses(database)
    authenticator = _authenticator(settings, database, uses, lambda: subscription.hearing(changes.CHANNEL))
    subscription = Subscription(listener, {DONE_CHANNEL: waiters.hear, changes.CHANNEL: authenticator.hear})
    embed_workers, billing = EmbedWorkers(broker, answers), BillingDesk.open(database, settings)
    async with AsyncExitStack() as at_the_end:  # the last is stopped first
        at_the_end.callback(cpu.shutdown, wait=False, cancel_futures=True)
        await database.open()
        for stop in (database.close, broker.aclose, listener.aclose, uses.stop, waiters.stop, subscription.stop):
            at_the_end.push_async_callback(stop)
        for stop in (answers.aclose, embed_workers.stop):
            at_the_end.push_async_callback(stop)
        if billing is not None:
            at_the_end.callback(billing.close)
        for part in (waiters, subscription, uses, embed_workers):
            part.start()
        yield Services(
            settings=settings,
            database=database,
            broker=broker,
            authenticator=authenticator,
            submitter=Submitter(database, broker),
            waiters=waiters,
            subscription=subscription,
            admission=Admission(catalogue, settings),
            catalogue=catalogue,
            prices=PriceBook(catalogue),
            limiter=RateLimiter(broker, settings),
            embed_workers=embed_workers,
            redactor=Redactor(settings),
            cpu=cpu,
            billing=billing,
            keys=key_encryption(settings),
            own_keys=OwnKeys(database, catalogue, settings.api_key_cache_seconds),
        )


def _connections(url: str) -> tuple[redis.asyncio.Redis, redis.asyncio.Redis, redis.asyncio.Redis]:
    """To ask and to push; to listen to channels; to wait for answers."""
    broker = redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 1),
        socket_connect_timeout=_CONNECT_SECONDS,
    )
    listener = redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=None,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),  # a lost connection is to be known of: what was remembered counts no more
        socket_connect_timeout=_CONNECT_SECONDS,
    )
    return (
        broker,
        listener,
        redis.asyncio.Redis.from_url(url, socket_timeout=LISTEN_SECONDS + 5, socket_connect_timeout=_CONNECT_SECONDS),
    )


def _authenticator(
    settings: Settings, database: AsyncDatabase, uses: KeyUses, hearing: Callable[[], object | None]
) -> Authenticator:
    newcomers = Newcomers(settings.personal_tenants, settings.personal_plan)
    return Authenticator(database, TokenVerifier(settings), uses, newcomers, hearing, settings.api_key_cache_seconds)


async def services(request: Request) -> Services:
    """A coroutine only because a plain function would be run in a thread for each request."""
    return cast("Services", request.state.services)


SCHEME = "Credential"
SCHEME_DESCRIPTION = (
    "An API key (`aico_live_…`) or a Supabase access token."
    " Users who belong to several tenants name one in the `X-Tenant-Id` header."
)


class Credential(HTTPBearer):
    """Resolves whoever asks, and shows in the OpenAPI document how to."""

    def __init__(self, permission: Permission, *others: Permission) -> None:
        """One of the permissions is enough."""
        super().__init__(scheme_name=SCHEME, description=SCHEME_DESCRIPTION, auto_error=False)
        self._permission = permission
        self._others = frozenset(others)

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]
        authenticator = (await services(request)).authenticator
        principal = await authenticator.principal(Credentials.of(request.headers))
        if not self._others & principal.permissions:
            principal.require(self._permission)
        if self._permission in ADMINISTRATION:
            await authenticator.confirm(principal)
        return principal


may_write = Credential(Permission.PROMPTS_WRITE)

Held = Annotated[Services, Depends(services)]
Reader = Annotated[Principal, Depends(Credential(Permission.PROMPTS_READ))]
Writer = Annotated[Principal, Depends(may_write)]
UsageReader = Annotated[Principal, Depends(Credential(Permission.USAGE_READ))]
DataWriter = Annotated[Principal, Depends(Credential(Permission.DATA_WRITE))]
WebhookWriter = Annotated[Principal, Depends(Credential(Permission.WEBHOOKS_WRITE))]
BillingWriter = Annotated[Principal, Depends(Credential(Permission.BILLING_WRITE))]
KeyWriter = Annotated[Principal, Depends(Credential(Permission.KEYS_WRITE))]
MemberWriter = Annotated[Principal, Depends(Credential(Permission.MEMBERS_WRITE))]
SettingsWriter = Annotated[Principal, Depends(Credential(Permission.SETTINGS_WRITE))]
SettingsReader = Annotated[Principal, Depends(Credential(Permission.USAGE_READ, Permission.SETTINGS_WRITE))]
AuditReader = Annotated[Principal, Depends(Credential(Permission.AUDIT_READ))]
