"""Group commit: jobs that arrive while a transaction is on its way share the next one, and one trip to Redis."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from aico.core.errors import AicoError, Unavailable
from aico.store import jobs
from aico.store.aio import AsyncDatabase
from aico.store.jobs import NewJob, Submitted
from aico.store.scope import Scope
from aico.workers.queue import Bell, bells_for, pushes

log = structlog.get_logger()


class KeyTaken(Exception):
    """The idempotency key already stands for a job; nothing was stored."""


@dataclass(frozen=True, slots=True)
class _Pending:
    tenant: UUID
    job: NewJob
    stored: "asyncio.Future[Submitted]"

    @property
    def key(self) -> tuple[UUID, str] | None:
        return None if self.job.idempotency is None else (self.tenant, self.job.idempotency.key)

    def settle(self, submitted: Submitted | None) -> None:
        """Tell the caller, unless he has gone."""
        if self.stored.done():
            return
        if submitted is None:
            self.stored.set_exception(KeyTaken())
        elif submitted.refusal is not None:
            self.stored.set_exception(submitted.refusal.error())
        else:
            self.stored.set_result(submitted)


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
        """Raises KeyTaken, BudgetExceeded or RateLimited where a quota has no room, or Unavailable.

        Unavailable means that Postgres cannot be reached; the caller may then try again.
        """
        stored: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
        self._pending.append(_Pending(tenant, job, stored))
        self._launch()
        return await stored

    def _launch(self) -> None:
        """In a context of its own: what is done for many is not to be logged as one request's."""
        while self._pending and self._idle:
            self._idle -= 1
            group, self._pending = _apart(self._pending, self._limit)
            task = asyncio.create_task(self._commit(group), context=Context())
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
            for tenant, members in sorted(by_tenant.items())  # quotas lock tenants: everybody in one order
        ]
        try:
            results = await self._database.run_each(work)
        except Exception as error:  # noqa: BLE001 - whatever it was, every caller must hear of it
            await self._fail_or_split(group, error)
            return
        stored = {submitted.id: submitted for result in results for submitted in result}
        for pending in group:
            submitted = stored.get(pending.job.id)
            pending.settle(submitted)
            if submitted is not None:
                self.ring(bells_for(pending.tenant, pending.job, submitted))

    def ring(self, bells: Iterable[Bell]) -> None:
        """Send them soon, together with whatever else is to be sent."""
        self._bells += bells
        if self._bells and self._ringing is None:
            self._ringing = asyncio.create_task(self._ring(), context=Context())

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


def _apart(pending: list[_Pending], limit: int) -> tuple[list[_Pending], list[_Pending]]:
    """The next group and the rest: no idempotency key stands twice in a group."""
    group: list[_Pending] = []
    rest: list[_Pending] = []
    keys: set[tuple[UUID, str]] = set()
    for one in pending:
        if len(group) >= limit or one.key in keys:
            rest.append(one)
        else:
            group.append(one)
            if one.key is not None:
                keys.add(one.key)
    return group, rest
