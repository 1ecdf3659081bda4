"""Waiting for jobs to end: one shared subscription for the whole process, and a poll that makes it correct.

Pub/sub forgets whoever is not listening, so once a second one statement a tenant asks for all jobs still waited for.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from aico.core.errors import Unavailable
from aico.store import jobs
from aico.store.aio import AsyncDatabase
from aico.store.scope import Scope
from aico.workers.queue import DONE_CHANNEL

log = structlog.get_logger()

POLL_SECONDS = 1.0
RECONNECT_SECONDS = 0.5


class Waiters:
    def __init__(self, database: AsyncDatabase, broker: redis.asyncio.Redis) -> None:
        self._database = database
        self._broker = broker
        self._waiting: dict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._tenants: dict[UUID, UUID] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._poll())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def expecting(self, tenant: UUID, job: UUID) -> Iterator[asyncio.Event]:
        """Enter before the job's row is read, or its end may fall between the two."""
        ended = asyncio.Event()
        self._waiting[job].add(ended)
        self._tenants[job] = tenant
        try:
            yield ended
        finally:
            self._waiting[job].discard(ended)
            if not self._waiting[job]:
                del self._waiting[job]
                del self._tenants[job]

    def _wake(self, job: UUID) -> None:
        for ended in self._waiting.get(job, ()):
            ended.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._broker.pubsub() as subscription:
                    await subscription.subscribe(DONE_CHANNEL)
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=None)
                        if message is not None:
                            for job in message["data"].split(","):
                                self._wake(UUID(job))
            except (RedisError, OSError, ValueError) as error:  # ValueError: somebody else's message
                log.warning("subscription_lost", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            by_tenant: dict[UUID, list[UUID]] = defaultdict(list)
            for job, tenant in self._tenants.items():
                by_tenant[tenant].append(job)
            work = [(Scope.tenant(tenant), jobs.finished(tenant, ids)) for tenant, ids in by_tenant.items()]
            try:
                for found in await self._database.run_each(work) if work else ():
                    for job in found:
                        self._wake(job)
            except Unavailable:
                log.warning("poll_postponed")
