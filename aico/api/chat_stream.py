"""A chat completion as a stream of chunks, in OpenAI's format."""

from collections.abc import Iterable, Iterator

from aico.core.jobs import Job
from aico.wire import sse
from aico.wire.chat_answer import Chunks
from aico.wire.errors import Failure, ended_without_answer
from aico.wire.sequence import number
from aico.wire.spoken import Contradiction, Spoken
from aico.workers.said import Piece


class ChatStream:
    """Each chunk's `id:` is what `GET /v1/chat/completions/{id}?stream=true&starting_after=` goes on from.

    `after` is such a place, a generation and a position in its text, that the reader has reached already.
    """

    def __init__(self, job: Job, *, with_usage: bool, after: tuple[int, int] | None = None) -> None:
        self._chunks = Chunks(job.id, job.created_at, job.model, with_usage=with_usage)
        self._spoken = Spoken()
        self._after = after
        self._generation = 0
        self.broken = False

    def begin(self) -> Iterable[bytes]:
        return (sse.event(self._chunks.first()),) if self._after is None else ()

    def started(self) -> Iterable[bytes]:
        return ()

    def piece(self, piece: Piece) -> Iterator[bytes]:
        try:
            self._belongs(piece.generation)
            fresh = self._spoken.add(piece.start, piece.text)
        except Contradiction:
            yield from self._break_off()
            return
        unread = fresh[max(0, self._read - (self._spoken.length - len(fresh))) :]
        if unread:
            yield sse.event(self._chunks.text(unread), number=number(piece.generation, self._spoken.length))

    def ended(self, job: Job) -> Iterator[bytes]:
        if job.answer is None or job.routing is None:
            yield sse.event(ended_without_answer(job).body)
            return
        generation = max(job.fence - 1, 0)
        try:
            self._belongs(generation)
            self._spoken.rest(job.answer.text)
        except Contradiction:
            yield from self._break_off()
            return
        last = number(generation, len(job.answer.text))
        for chunk in self._chunks.ending(job.answer, job.routing, max(self._spoken.length, self._read)):
            yield sse.event(chunk, number=last)
        yield sse.DONE

    @property
    def _read(self) -> int:
        """Characters that the reader had before this stream."""
        return 0 if self._after is None else self._after[1]

    def _belongs(self, generation: int) -> None:
        """Raises Contradiction where the reader has part of another text, which nobody can compare any more."""
        if self._after is not None and self._read and generation != self._after[0]:
            raise Contradiction

    def _break_off(self) -> Iterator[bytes]:
        self.broken = True
        where = f"GET /v1/chat/completions/{self._chunks.id} has its answer when it ends"
        message = f"the answer broke off and was begun anew; the job goes on: {where}"
        yield sse.event(Failure(502, message, "stream_interrupted").body)
