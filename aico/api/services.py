"""What the API process holds from start to stop, and how routes get at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, cast

import redis.asyncio
from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from aico.api.auth import Authenticator, Principal
from aico.api.rate_limit import RateLimiter
from aico.api.submitter import Submitter
from aico.api.subscription import Subscription
from aico.api.tokens import TokenVerifier
from aico.api.vectors import LISTEN_SECONDS, VectorClient
from aico.api.waiters import Waiters
from aico.core.access import Permission
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.prices import PriceBook
from aico.store.aio import AsyncDatabase
from aico.workers.admission import Admission
from aico.workers.queue import DONE_CHANNEL

POOL_SIZE = 8


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
    vectors: VectorClient


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    database = AsyncDatabase(settings.database_url, max_size=POOL_SIZE)
    url = settings.redis_url.get_secret_value()
    broker = redis.asyncio.Redis.from_url(
        url, decode_responses=True, socket_timeout=5, socket_connect_timeout=3, retry=Retry(NoBackoff(), 1)
    )
    listener = redis.asyncio.Redis.from_url(
        url, decode_responses=True, socket_timeout=None, socket_connect_timeout=3, health_check_interval=10
    )
    answers = redis.asyncio.Redis.from_url(url, socket_timeout=LISTEN_SECONDS + 5, socket_connect_timeout=3)
    catalogue = Catalogue.from_settings(settings)
    waiters = Waiters(database)
    subscription = Subscription(listener, {DONE_CHANNEL: waiters.hear})
    vectors = VectorClient(broker, answers)
    await database.open()
    waiters.start()
    subscription.start()
    vectors.start()
    try:
        yield Services(
            settings=settings,
            database=database,
            broker=broker,
            authenticator=Authenticator(database, TokenVerifier(settings), settings.api_key_cache_seconds),
            submitter=Submitter(database, broker),
            waiters=waiters,
            subscription=subscription,
            admission=Admission(catalogue, settings),
            catalogue=catalogue,
            prices=PriceBook(catalogue),
            limiter=RateLimiter(broker, settings),
            vectors=vectors,
        )
    finally:
        await vectors.stop()
        await answers.aclose()
        await subscription.stop()
        await waiters.stop()
        await listener.aclose()
        await broker.aclose()
        await database.close()


async def services(request: Request) -> Services:
    """A coroutine only because a plain function would be run in a thread for each request."""
    return cast("Services", request.state.services)


class Credential(HTTPBearer):
    """Resolves whoever asks, and shows in the OpenAPI document how to."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(
            scheme_name="Credential",
            description="An API key (`aico_live_…`) or a Supabase access token."
            " Users who belong to several tenants name one in the `X-Tenant-Id` header.",
            auto_error=False,
        )
        self._permission = permission

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]
        authenticator = (await services(request)).authenticator
        headers = request.headers
        principal = await authenticator.principal(headers.get("authorization"), headers.get("x-tenant-id"))
        principal.require(self._permission)
        return principal


may_write = Credential(Permission.PROMPTS_WRITE)

Held = Annotated[Services, Depends(services)]
Reader = Annotated[Principal, Depends(Credential(Permission.PROMPTS_READ))]
Writer = Annotated[Principal, Depends(may_write)]
UsageReader = Annotated[Principal, Depends(Credential(Permission.USAGE_READ))]
WebhookWriter = Annotated[Principal, Depends(Credential(Permission.WEBHOOKS_WRITE))]
SettingsWriter = Annotated[Principal, Depends(Credential(Permission.SETTINGS_WRITE))]
