"""Streams of server-sent events over a job, with comments that keep the connection alive."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Protocol

from fastapi import Response
from fastapi.responses import StreamingResponse

from aico.api.relay import Ended, Heard, Silence, Started
from aico.core.jobs import Job
from aico.wire import sse
from aico.workers.said import Piece


class Format(Protocol):
    """How one wire format writes a stream. What it returns goes out as it is."""

    def begin(self) -> Iterable[bytes]: ...

    def started(self) -> Iterable[bytes]: ...

    def piece(self, piece: Piece) -> Iterable[bytes]: ...

    def ended(self, job: Job) -> Iterable[bytes]: ...

    @property
    def broken(self) -> bool:
        """Whether nothing can follow what was sent: the stream is at its end although the job is not."""


# An event as the OpenAPI document describes it, for each item of a stream.
_EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}


def documented_stream(description: str) -> dict[int | str, dict[str, Any]]:
    """The stream that a route may answer with, for its `responses` in the OpenAPI document."""
    return {200: {"description": description, "content": {sse.MEDIA_TYPE: {"itemSchema": _EVENT}}}}


async def first_word(heard: AsyncIterator[Heard]) -> Heard:
    """The first that tells something: a piece, the end, or that there is nothing for a while."""
    async for one in heard:
        if isinstance(one, Piece | Ended | Silence):
            return one
    raise RuntimeError("a job is followed until it ends")


def stream_of(
    heard: AsyncGenerator[Heard, None], form: Format, headers: dict[str, str], first: Heard | None = None
) -> Response:
    """`first` is what was heard before, if anything was."""
    content = _written(heard, form, first)
    return StreamingResponse(content, media_type=sse.MEDIA_TYPE, headers={**sse.HEADERS, **headers})


async def _written(
    heard: AsyncGenerator[Heard, None], form: Format, first: Heard | None
) -> AsyncGenerator[bytes, None]:
    async with aclosing(heard):
        for written in form.begin():
            yield written
        async for one in _after(first, heard):
            for written in _write(one, form):
                yield written
            if form.broken:
                return


async def _after(first: Heard | None, heard: AsyncIterator[Heard]) -> AsyncIterator[Heard]:
    if first is not None:
        yield first
    async for one in heard:
        yield one


def _write(heard: Heard, form: Format) -> Iterable[bytes]:
    match heard:
        case Piece():
            return form.piece(heard)
        case Ended():
            return form.ended(heard.job)
        case Started():
            return form.started()
        case Silence():
            return (sse.KEEP_ALIVE,)
