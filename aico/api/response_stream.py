"""A response as a stream of events, in OpenAI's format."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from uuid import UUID

from aico.api.relay import Heard, follow
from aico.api.services import Services
from aico.core.errors import NotFound
from aico.core.jobs import Job
from aico.wire import sse
from aico.wire.response_events import Json, ResponseEvents
from aico.workers.said import Piece


class ResponseStream:
    """`after` is the sequence number of the last event that the reader has."""

    def __init__(self, job: Job, after: int | None = None) -> None:
        self._events = ResponseEvents(job, after)

    @property
    def broken(self) -> bool:
        return self._events.broken

    def begin(self) -> Iterator[bytes]:
        return _written(self._events.begin())

    def started(self) -> Iterator[bytes]:
        return _written(self._events.started())

    def piece(self, piece: Piece) -> Iterator[bytes]:
        return _written(self._events.text(piece.generation, piece.start, piece.text))

    def ended(self, job: Job) -> Iterator[bytes]:
        return _written(self._events.ended(job))


async def follow_until_deleted(held: Services, tenant: UUID, job_id: UUID) -> AsyncGenerator[Heard, None]:
    """As `follow`; of a response that is deleted meanwhile there is nothing more to tell."""
    async with aclosing(follow(held, tenant, job_id)) as heard:
        try:
            async for one in heard:
                yield one
        except NotFound:
            return


def _written(events: Iterable[Json]) -> Iterator[bytes]:
    for event in events:
        yield sse.event(event, name=event["type"], number=event["sequence_number"])
