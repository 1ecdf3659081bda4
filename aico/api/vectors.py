"""Vectors from the embed workers, without a model here: asks go out through Redis, answers come to one listener.

Nothing is stored in Postgres. Who gets no answer in time is told so, and asks again.
"""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from aico.core.errors import InvalidInput, Unavailable
from aico.core.ids import new_id
from aico.workers.queue import pushes, to_vectors
from aico.workers.vectors import ANSWER_SECONDS, TEXTS_IN_AN_ASK, Ask, Vectors, answers_key

log = structlog.get_logger()

ASKS_OF_A_REQUEST = 4  # under way at once: a large request leaves room for others, and for prompts
ASKS_OF_A_PROCESS = 32  # likewise of all its requests; the rest wait here, in their order
LISTEN_SECONDS = 5
RECONNECT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Embedded:
    tokens: int  # of all texts
    data: bytes  # float32 vectors, little-endian, in the order of the texts


class VectorClient:
    """One for a process. `listener` is a client of its own, because it blocks on Redis."""

    def __init__(self, broker: redis.asyncio.Redis, listener: redis.asyncio.Redis) -> None:
        self._broker = broker
        self._listener = listener
        self._process = new_id()
        self._places = asyncio.Semaphore(ASKS_OF_A_PROCESS)
        self._waiting: dict[UUID, asyncio.Future[Vectors]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def embed(self, tenant: UUID, texts: Sequence[str]) -> Embedded:
        """Asks of at most TEXTS_IN_AN_ASK texts, ASKS_OF_A_REQUEST of them at a time.

        Raises InvalidInput that names the first text that is too long, and Unavailable where an answer does not come.
        """
        tokens, data = 0, bytearray()
        step = TEXTS_IN_AN_ASK * ASKS_OF_A_REQUEST
        for first in range(0, len(texts), step):
            starts = range(first, min(first + step, len(texts)), TEXTS_IN_AN_ASK)
            asks = [Ask(new_id(), self._process, texts[start : start + TEXTS_IN_AN_ASK]) for start in starts]
            answers = await asyncio.gather(*(self._ask(tenant, ask) for ask in asks))
            for start, answer in zip(starts, answers, strict=True):
                if answer.too_long is not None:
                    raise _too_long(start + answer.too_long)
                tokens += answer.tokens
                data += answer.data
        return Embedded(tokens, bytes(data))

    async def _ask(self, tenant: UUID, ask: Ask) -> Vectors:
        async with self._places:
            answer: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
            self._waiting[ask.id] = answer
            try:
                await self._send(tenant, ask)
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await answer
            except TimeoutError as error:
                raise Unavailable("no embed worker answers; send the request again", retry_after=1) from error
            except RedisError as error:
                raise Unavailable("the embed workers cannot be reached; send the request again") from error
            finally:
                del self._waiting[ask.id]

    async def _send(self, tenant: UUID, ask: Ask) -> None:
        async with self._broker.pipeline(transaction=False) as pipe:
            pipe.set(ask.key, ask.encoded(), px=int(ANSWER_SECONDS * 1000))
            for queue, messages in pushes([to_vectors(tenant, ask.id)]).items():
                pipe.lpush(queue, *messages)
            await pipe.execute()

    async def _listen(self) -> None:
        key = answers_key(self._process)
        while True:
            try:
                item = await self._listener.blpop([key], timeout=LISTEN_SECONDS)
                if item is not None:
                    self._hand_over(Vectors.decoded(cast("bytes", item[1])))
            except (RedisError, OSError, struct.error) as error:  # struct.error: somebody else's item
                log.warning("vectors_not_heard", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    def _hand_over(self, answer: Vectors) -> None:
        waiting = self._waiting.get(answer.ask)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def _too_long(index: int) -> InvalidInput:
    return InvalidInput(f"input.{index} has more tokens than the embedding model reads", param=f"input.{index}")
