"""Group commit: jobs that arrive while a transaction is on its way share the next one, and one trip to Redis."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from aico.core.errors import AicoError, Unavailable
from aico.core.jobs import CacheMode
from aico.store import jobs
from aico.store.aio import AsyncDatabase
from aico.store.jobs import NewJob, Submitted
from aico.store.scope import Scope
from aico.workers.queue import Bell, pushes, to_embed, to_record, to_route

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Pending:
    tenant: UUID
    job: NewJob
    stored: "asyncio.Future[Submitted]"


class Submitter:
    """Stores jobs durably before it answers. Work per job is O(1); a transaction takes at most `limit` jobs."""

    def __init__(
        self, database: AsyncDatabase, broker: redis.asyncio.Redis, *, limit: int = 256, transactions: int = 2
    ) -> None:
        self._database = database
        self._broker = broker
        self._limit = limit
        self._idle = transactions
        self._pending: list[_Pending] = []
        self._running: set[asyncio.Task[None]] = set()
        self._bells: list[Bell] = []
        self._ringing: asyncio.Task[None] | None = None

    async def submit(self, tenant: UUID, job: NewJob) -> Submitted:
        """Raises Unavailable when Postgres cannot be reached; the caller may then try again."""
        stored: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
        self._pending.append(_Pending(tenant, job, stored))
        self._launch()
        return await stored

    def _launch(self) -> None:
        while self._pending and self._idle:
            self._idle -= 1
            group, self._pending = self._pending[: self._limit], self._pending[self._limit :]
            task = asyncio.create_task(self._commit(group))
            self._running.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._idle += 1
        self._launch()

    async def _commit(self, group: Sequence[_Pending]) -> None:
        by_tenant: dict[UUID, list[_Pending]] = defaultdict(list)
        for pending in group:
            by_tenant[pending.tenant].append(pending)
        work = [
            (Scope.tenant(tenant), jobs.submit(tenant, [pending.job for pending in members]))
            for tenant, members in by_tenant.items()
        ]
        try:
            results = await self._database.run_each(work)
        except Exception as error:  # noqa: BLE001 - whatever it was, every caller must hear of it
            await self._fail_or_split(group, error)
            return
        stored = {submitted.id: submitted for result in results for submitted in result}
        for pending in group:
            if not pending.stored.done():
                pending.stored.set_result(stored[pending.job.id])
        self._bells += [bell_for(pending, stored[pending.job.id]) for pending in group]
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._ring())

    async def _fail_or_split(self, group: Sequence[_Pending], error: Exception) -> None:
        """One bad row must not fail its neighbours: they are tried alone unless the database itself is away."""
        if len(group) > 1 and not isinstance(error, Unavailable):
            for pending in group:
                await self._commit([pending])
            return
        if not isinstance(error, AicoError):
            log.error("submit_failed", exc_info=error)
        for pending in group:
            if not pending.stored.done():
                pending.stored.set_exception(error)

    async def _ring(self) -> None:
        """Beside the transactions: a Redis that is away must not hold up submits."""
        try:
            while self._bells:
                bells, self._bells = self._bells, []
                await self._push(bells)
        finally:
            self._ringing = None  # whatever happened, the next bells find somebody to ring them

    async def _push(self, bells: Sequence[Bell]) -> None:
        try:
            async with self._broker.pipeline(transaction=False) as pipe:
                for queue, messages in pushes(bells).items():
                    pipe.lpush(queue, *messages)
                await pipe.execute()
        except RedisError as error:
            log.warning("bells_not_rung", error=type(error).__name__, count=len(bells))  # the sweeper will


def bell_for(pending: _Pending, stored: Submitted) -> Bell:
    job = pending.job
    if stored.answer is not None:
        return to_record(pending.tenant, job.id)
    if job.cache_mode in {CacheMode.SEMANTIC, CacheMode.REFRESH}:
        return to_embed(pending.tenant, job.id)
    return to_route(pending.tenant, job.id, job.job_class)
