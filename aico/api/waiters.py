"""Waiting for jobs to end: word of it by the process' subscription, and a poll that makes it correct.

Pub/sub forgets whoever is not listening, so once a second one statement a tenant asks for all jobs still waited for.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

import structlog

from aico.core.errors import Unavailable
from aico.store import jobs
from aico.store.aio import AsyncDatabase
from aico.store.scope import Scope

log = structlog.get_logger()

POLL_SECONDS = 1.0


class Wakeable(Protocol):
    def set(self) -> None:
        """The job has ended."""


class Waiters:
    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database
        # With the tenant that asks, which need not be the job's own: it must not take another's place in the poll.
        self._waiting: dict[UUID, set[tuple[UUID, Wakeable]]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hear(self, ended: str) -> None:
        """Of jobs that have ended: their ids, separated by commas. Raises ValueError for anything else."""
        for job in ended.split(","):
            self._wake(UUID(job))

    @contextmanager
    def expecting(self, tenant: UUID, job: UUID) -> Iterator[asyncio.Event]:
        """Enter before the job's row is read, or its end may fall between the two."""
        ended = asyncio.Event()
        with self.telling(tenant, job, ended):
            yield ended

    @contextmanager
    def telling(self, tenant: UUID, job: UUID, ended: "Wakeable") -> Iterator[None]:
        """Likewise, for whoever has a way of its own of being told."""
        waiter = (tenant, ended)
        self._waiting[job].add(waiter)
        try:
            yield
        finally:
            self._waiting[job].discard(waiter)
            if not self._waiting[job]:
                del self._waiting[job]

    def _wake(self, job: UUID) -> None:
        for _, ended in tuple(self._waiting.get(job, ())):
            ended.set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            by_tenant: dict[UUID, set[UUID]] = defaultdict(set)
            for job, waiters in self._waiting.items():
                for tenant, _ in waiters:
                    by_tenant[tenant].add(job)
            work = [(Scope.tenant(tenant), jobs.finished(tenant, list(ids))) for tenant, ids in by_tenant.items()]
            try:
                for found in await self._database.run_each(work) if work else ():
                    for job in found:
                        self._wake(job)
            except Unavailable:
                log.warning("poll_postponed")
