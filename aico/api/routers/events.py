"""A job's progress as server-sent events, which may be resumed after any of them."""

from collections.abc import Iterable, Iterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from aico.api.problems import documented
from aico.api.relay import find, follow
from aico.api.schemas import JobView
from aico.api.services import Held, Reader
from aico.api.streaming import documented_stream, stream_of
from aico.core.jobs import Job
from aico.wire import sse
from aico.wire.sequence import number, place
from aico.workers.said import Piece

router = APIRouter(tags=["jobs"])

_EVENTS = documented_stream("`status`, `text` with `start` and `text`, `restarted`, and in the end `job`.")


@router.get(
    "/v1/jobs/{job_id}/events",
    response_class=Response,
    responses={**_EVENTS, **documented(401, 403, 404, 422, 503)},
)
async def follow_job(
    job_id: UUID,
    held: Held,
    principal: Reader,
    after: Annotated[int, Query(ge=0, lt=2**53, description="The `id:` of the last event that was read.")] = 0,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="Likewise, as browsers send it when they reconnect.")
    ] = None,
) -> Response:
    """Follow a job until it ends. A job that was submitted with `stream` also tells its answer piece by piece."""
    job = await find(held, principal.tenant, job_id)
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        after = max(after, int(last_event_id))
    heard = follow(held, principal.tenant, job_id)
    return stream_of(heard, JobEvents(job, *place(after)), {})


class JobEvents:
    """`text` carries pieces of the answer, `restarted` says that what came before is void, `job` is the ended job."""

    broken = False

    def __init__(self, job: Job, generation: int, read: int) -> None:
        self._job = job
        self._generation = generation
        self._read = read  # characters of that generation's text that the reader has

    def begin(self) -> Iterable[bytes]:
        return () if self._job.status.final else (_status(self._job.status.value),)

    def started(self) -> Iterable[bytes]:
        return (_status("in_progress"),)

    def piece(self, piece: Piece) -> Iterator[bytes]:
        yield from self._begin_anew(piece.generation)
        if piece.end > self._read:
            yield self._text(piece.text[max(0, self._read - piece.start) :])

    def ended(self, job: Job) -> Iterator[bytes]:
        if job.answer is not None:
            yield from self._begin_anew(max(job.fence - 1, 0))
            if len(job.answer.text) > self._read:
                yield self._text(job.answer.text[self._read :])
        view = JobView.of(job).model_dump(mode="json", by_alias=True, exclude_none=True)
        yield sse.event(view, name="job", number=number(self._generation, self._read))

    def _begin_anew(self, generation: int) -> Iterator[bytes]:
        if generation != self._generation:
            if self._read:
                yield sse.event({}, name="restarted", number=number(generation, 0))
            self._generation, self._read = generation, 0

    def _text(self, fresh: str) -> bytes:
        start = self._read
        self._read += len(fresh)
        return sse.event({"start": start, "text": fresh}, name="text", number=number(self._generation, self._read))


def _status(status: str) -> bytes:
    return sse.event({"status": status}, name="status")
