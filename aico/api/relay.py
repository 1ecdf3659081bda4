"""Follows the answer to one job while it is being given, for whoever reads it as a stream.

Pieces come over Redis as hints. What is lost there is caught up with: from the text that is kept beside them, and in
the end from the job's row.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from aico.api.services import Services
from aico.core.errors import NotFound, Unavailable
from aico.core.jobs import Job, JobStatus
from aico.store import jobs
from aico.store.scope import Scope
from aico.workers import said
from aico.workers.said import Piece

log = structlog.get_logger()

ASK_AGAIN_SECONDS = 0.5  # while the database is away
SILENCE_SECONDS = 15.0  # shorter than what usual proxies take for a dead connection


@dataclass(frozen=True, slots=True)
class Started:
    """A worker has begun."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing for a while: say that the connection lives."""


@dataclass(frozen=True, slots=True)
class Ended:
    job: Job


Heard = Piece | Started | Silence | Ended


class _Inbox:
    """What was published, and None for the end; the job's waiters call `set`."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    def set(self) -> None:
        self._queue.put_nowait(None)

    def hear(self, message: str) -> None:
        self._queue.put_nowait(message)

    async def next(self) -> str | None:
        return await self._queue.get()


async def follow(held: Services, tenant: UUID, job_id: UUID) -> AsyncGenerator[Heard, None]:
    """Pieces without gaps, each generation's from 0, then the ended job. Raises NotFound if there is no such job.

    A piece of a higher generation says that the text begins anew. O(1) per piece; one statement at the begin and one
    for each word of the end.
    """
    async with _listening(held, tenant, job_id) as inbox:
        job = await find(held, tenant, job_id)
        reader = _Reader(held, job_id, generation=max(job.fence - 1, 0))
        if job.status is JobStatus.IN_PROGRESS:
            yield Started()
            async for piece in reader.caught_up():
                yield piece
        while not job.status.final:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    message = await inbox.next()
            except TimeoutError:
                yield Silence()
                continue
            if message is None:
                try:
                    job = await find(held, tenant, job_id)
                except Unavailable:  # what was said so far is worth more than an error: ask again
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
                    inbox.set()
                continue
            async for heard in reader.read(message):
                yield heard
        yield Ended(job)


async def find(held: Services, tenant: UUID, job_id: UUID) -> Job:
    """Raises NotFound, for a job of another tenant too."""
    found = await held.database.run(Scope.tenant(tenant), jobs.get(tenant, job_id))
    if not found:
        raise NotFound(f"there is no job {job_id}", param="job_id")
    return found[0]


@asynccontextmanager
async def _listening(held: Services, tenant: UUID, job_id: UUID) -> AsyncIterator[_Inbox]:
    inbox = _Inbox()
    with held.waiters.telling(tenant, job_id, inbox):
        async with held.subscription.listening(said.channel(job_id), inbox.hear):
            yield inbox


class _Reader:
    """Puts pieces in order: what came before is passed over, what is missing is fetched."""

    def __init__(self, held: Services, job_id: UUID, generation: int) -> None:
        self._held = held
        self._job = job_id
        self._generation = generation
        self._position = 0

    async def caught_up(self) -> AsyncIterator[Piece]:
        text = await self._kept()
        if len(text) > self._position:
            yield self._advance(text[self._position :])

    async def read(self, message: str) -> AsyncIterator[Piece | Started]:
        try:
            piece = Piece.decoded(message)
        except ValueError:
            log.warning("piece_unreadable", job=str(self._job))
            return
        if piece.generation < self._generation:
            return  # of a worker that has lost the job
        if piece.generation > self._generation:
            self._generation, self._position = piece.generation, 0
        if not piece.text:
            yield Started()
        elif piece.start > self._position:
            async for missing in self.caught_up():
                yield missing
        elif piece.end > self._position:
            yield self._advance(piece.text[self._position - piece.start :])

    def _advance(self, text: str) -> Piece:
        piece = Piece(self._generation, self._position, text)
        self._position = piece.end
        return piece

    async def _kept(self) -> str:
        try:
            return str(await self._held.broker.get(said.key(self._job, self._generation)) or "")
        except (RedisError, OSError) as error:
            log.warning("kept_text_unreachable", job=str(self._job), error=type(error).__name__)
            return ""
