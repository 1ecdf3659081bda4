"""When keys were last used: collected here and stored together, so that no request writes."""

import asyncio
import time
from uuid import UUID

import structlog

from aico.core.errors import Unavailable
from aico.store import api_keys
from aico.store.aio import AsyncDatabase
from aico.store.api_keys import Used
from aico.store.scope import Scope

log = structlog.get_logger()

FLUSH_SECONDS = 30.0
_AT_ONCE = 1000  # keys in a statement


class KeyUses:
    """Holds a number for each key that was used since the last flush."""

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database
        self._used: dict[tuple[UUID, UUID], float] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, tenant: UUID, key: UUID) -> None:
        self._used[tenant, key] = time.monotonic()

    def start(self) -> None:
        self._task = asyncio.create_task(self._flush_for_ever())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """While the database is away nothing is lost but, at the end of the process, the last half minute."""
        noted, self._used = self._used, {}
        waiting = list(noted.items())
        while waiting:
            now, some = time.monotonic(), waiting[:_AT_ONCE]
            used = [Used(tenant, key, now - at) for (tenant, key), at in some]
            try:
                await self._database.run(Scope.each(one.tenant for one in used), api_keys.used(used))
            except Unavailable:
                log.warning("key_uses_kept", count=len(waiting))
                self._used = {**dict(waiting), **self._used}  # what came meanwhile is later
                return
            del waiting[:_AT_ONCE]

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
