"""Follows the answer to one job while it is being given, for whoever reads it as a stream.

Pieces come over Redis as hints. What is lost there is caught up with: from the text that is kept beside them, and in
the end from the job's row. A job that follows another one is told the other's pieces as its own.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from aico.api.services import Services
from aico.core.errors import NotFound, Unavailable
from aico.core.jobs import Job, JobStatus, Stage
from aico.store import flights, jobs
from aico.store.scope import Scope
from aico.workers import said
from aico.workers.said import Joined, Piece

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
    """What was published about which job, and None for the end; the job's waiters call `set`."""

    def __init__(self, held: Services, channels: AsyncExitStack) -> None:
        self._held = held
        self._channels = channels
        self._listened: set[UUID] = set()
        self._queue: asyncio.Queue[tuple[UUID, str] | None] = asyncio.Queue()

    def set(self) -> None:
        self._queue.put_nowait(None)

    async def listen(self, job: UUID) -> None:
        """To what is said of this job, from now on."""
        if job in self._listened:
            return
        self._listened.add(job)
        listening = self._held.subscription.listening(said.channel(job), lambda message: self._hear(job, message))
        await self._channels.enter_async_context(listening)

    def _hear(self, job: UUID, message: str) -> None:
        self._queue.put_nowait((job, message))

    async def next(self) -> tuple[UUID, str] | None:
        return await self._queue.get()


async def follow(held: Services, tenant: UUID, job_id: UUID) -> AsyncGenerator[Heard, None]:
    """Pieces without gaps, each generation's from 0, then the ended job. Raises NotFound if there is no such job.

    A piece of a higher generation says that the text begins anew. O(1) per piece; one statement at the begin and one
    for each word of the end.
    """
    async with _listening(held, tenant, job_id) as inbox:
        job = await find(held, tenant, job_id)
        reader = _Reader(held, job_id, inbox, generation=max(job.fence - 1, 0))
        if job.status is JobStatus.IN_PROGRESS:
            yield Started()
            if job.stage is Stage.FOLLOW:
                await reader.look_whom_it_follows(tenant)
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
            async for heard in reader.read(*message):
                yield heard
        yield Ended(job)


async def find(held: Services, tenant: UUID, job_id: UUID) -> Job:
    """Raises NotFound, for a job of another tenant too. From here on log lines name it."""
    structlog.contextvars.bind_contextvars(job_id=str(job_id))
    found = await held.database.run(Scope.tenant(tenant), jobs.get(tenant, job_id))
    if not found:
        raise NotFound(f"there is no job {job_id}", param="job_id")
    return found[0]


@asynccontextmanager
async def _listening(held: Services, tenant: UUID, job_id: UUID) -> AsyncIterator[_Inbox]:
    async with AsyncExitStack() as channels:
        inbox = _Inbox(held, channels)
        with held.waiters.telling(tenant, job_id, inbox):
            await inbox.listen(job_id)
            yield inbox


class _Reader:
    """Puts pieces in order: what came before is passed over, what is missing is fetched."""

    def __init__(self, held: Services, job_id: UUID, inbox: _Inbox, generation: int) -> None:
        self._held = held
        self._job = job_id
        self._inbox = inbox
        self._begin(generation, job_id, generation)

    def _begin(self, generation: int, speaker: UUID, spoken: int) -> None:
        """From its begin, a text of ours, which is that text of the speaker's."""
        self._generation, self._speaker, self._spoken, self._position = generation, speaker, spoken, 0

    async def look_whom_it_follows(self, tenant: UUID) -> None:
        for found in await self._held.database.run(Scope.tenant(tenant), flights.joined(tenant, self._job)):
            await self._join(Joined(found.generation, found.leader, found.leader_generation))

    async def _join(self, joined: Joined) -> bool:
        """Whether that is news."""
        known = joined.generation == self._generation and joined.leader == self._speaker
        if joined.generation < self._generation or known:
            return False
        self._begin(joined.generation, joined.leader, joined.leader_generation)
        await self._inbox.listen(joined.leader)
        return True

    async def caught_up(self) -> AsyncIterator[Piece]:
        text = await self._kept()
        if len(text) > self._position:
            yield self._advance(text[self._position :])

    async def read(self, speaker: UUID, message: str) -> AsyncIterator[Piece | Started]:
        try:
            word = said.decoded(message)
        except ValueError:
            log.warning("piece_unreadable")
            return
        if isinstance(word, Piece):
            async for heard in self._read(speaker, word):
                yield heard
        elif await self._join(word):
            yield Started()
            async for heard in self.caught_up():
                yield heard

    async def _read(self, speaker: UUID, piece: Piece) -> AsyncIterator[Piece | Started]:
        if speaker == self._job and piece.generation > self._generation:
            self._begin(piece.generation, self._job, piece.generation)
        if (speaker, piece.generation) != (self._speaker, self._spoken):
            return  # of a worker that has lost the job, or of a job that is followed no more
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
            return str(await self._held.broker.get(said.key(self._speaker, self._spoken)) or "")
        except (RedisError, OSError) as error:
            log.warning("kept_text_unreachable", error=type(error).__name__)
            return ""
