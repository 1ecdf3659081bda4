"""Asks the embed workers, without a model here: asks go out through Redis, answers come to one listener.

Nothing is stored in Postgres. Who gets no answer in time is told so, and asks again.
"""

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from aico.core.errors import Unavailable
from aico.core.ids import new_id
from aico.workers.asks import ANSWER_SECONDS, Answer, Ask, answers_key
from aico.workers.queue import Bell, pushes

log = structlog.get_logger()

ASKS_OF_A_PROCESS = 32  # under way at once; the rest wait here, in their order
LISTEN_SECONDS = 5
RECONNECT_SECONDS = 0.5


class EmbedWorkers:
    """One for a process. `listener` is a client of its own, because it blocks on Redis."""

    def __init__(self, broker: redis.asyncio.Redis, listener: redis.asyncio.Redis) -> None:
        self._broker = broker
        self._listener = listener
        self._process = new_id()
        self._places = asyncio.Semaphore(ASKS_OF_A_PROCESS)
        self._waiting: dict[UUID, asyncio.Future[bytes]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ask(
        self,
        bell: Callable[[UUID, UUID], Bell],
        tenant: UUID,
        texts: Sequence[str],
        terms: Mapping[str, Any] | None = None,
    ) -> bytes:
        """What a worker answers. `bell` is made of the tenant and the ask's id, and says what is asked.

        Raises Unavailable where no answer comes.
        """
        async with self._places:
            ask = Ask(new_id(), self._process, texts, terms or {})
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._waiting[ask.id] = answer
            try:
                await self._send(ask, bell(tenant, ask.id))
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await answer
            except TimeoutError as error:
                raise Unavailable("no embed worker answers; send the request again", retry_after=1) from error
            except RedisError as error:
                raise Unavailable("the embed workers cannot be reached; send the request again") from error
            finally:
                del self._waiting[ask.id]

    async def _send(self, ask: Ask, bell: Bell) -> None:
        async with self._broker.pipeline(transaction=False) as pipe:
            pipe.set(ask.key, ask.encoded(), px=int(ANSWER_SECONDS * 1000))
            for queue, messages in pushes([bell]).items():
                pipe.lpush(queue, *messages)
            await pipe.execute()

    async def _listen(self) -> None:
        key = answers_key(self._process)
        while True:
            try:
                item = await self._listener.blpop([key], timeout=LISTEN_SECONDS)
                if item is not None:
                    self._hand_over(Answer.decoded(cast("bytes", item[1])))
            except (RedisError, OSError, struct.error) as error:  # struct.error: somebody else's item
                log.warning("embed_workers_not_heard", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    def _hand_over(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.ask)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.data)
