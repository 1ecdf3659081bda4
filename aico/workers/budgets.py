"""Budgets in Redis that all processes share. They keep callers out of each other's way and are no accounting."""

import time
from collections.abc import Sequence

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from aico.workers.gcra import SCRIPT, Taking, Verdict, keys_and_arguments

log = structlog.get_logger()

_ASK_AGAIN_SECONDS = 2.0  # while Redis is away, requests do not each wait for it to time out


class Budgets:
    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._script = broker.register_script(SCRIPT)
        self._away_until = 0.0  # monotonic seconds

    async def take(self, takings: Sequence[Taking]) -> Verdict | None:
        """From all budgets or from none, without waiting. None: Redis is away, and everything passes."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return Verdict.read(await self._script(*keys_and_arguments(takings, patience=0.0)))
        except RedisError as error:
            self._away_until = time.monotonic() + _ASK_AGAIN_SECONDS
            log.warning("rate_limits_not_kept", error=type(error).__name__)
            return None
