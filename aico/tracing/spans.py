"""Spans, as the product's parts tell them: while nobody listens a call does nothing, and nothing has been imported.

A span is handed on whole when it has ended. So a part that is killed leaves no half of one, and a job's own span, which
begins in one process and ends in another, is told by whoever ends the job.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from time import time_ns
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

import structlog

from aico.tracing.context import TraceContext, ids_of, new_span, new_trace

Attribute = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Attribute | None]  # what is None is left out

log = structlog.get_logger()

_NANOS_PER_SECOND = 1_000_000_000


class Kind(StrEnum):
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    name: str
    at: int  # nanoseconds of Unix time
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """Times are nanoseconds of Unix time. `error` is a short stable word: a sentence might repeat a prompt."""

    name: str
    context: TraceContext
    parent: TraceContext | None = None
    kind: Kind = Kind.INTERNAL
    began: int = field(default_factory=time_ns)
    ended: int = 0
    attributes: dict[str, Attribute | None] = field(default_factory=dict)
    events: list[SpanEvent] = field(default_factory=list)
    links: Sequence[TraceContext] = ()
    error: str | None = None
    _before: "Token[Span | None] | None" = None

    def event(self, name: str, attributes: Attributes, at: int | None = None) -> None:
        self.events.append(SpanEvent(name, time_ns() if at is None else at, attributes))

    def __enter__(self) -> Self:
        """The span within which the rest of this thread or task runs; its log lines name the trace."""
        self._before = _current.set(self)
        structlog.contextvars.bind_contextvars(trace_id=self.context.trace_id)
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if self._before is not None:
            _current.reset(self._before)
        if kind is not None and self.error is None:
            self.error = kind.__qualname__
        tell(self)


class Silence:
    """Stands in for a span while nobody listens."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        """Nothing has been noted."""


class Sink(Protocol):
    def samples(self, trace: int, name: str) -> bool:
        """Whether a trace that begins here is kept."""

    def take(self, span: Span) -> None:
        """An ended span. It waits for nobody."""

    def close(self) -> None:
        """Send what has been taken, for a few seconds at most."""


_current: ContextVar[Span | None] = ContextVar("span", default=None)
SILENCE = Silence()


class _Listening:
    sink: Sink | None = None


def listen(sink: Sink | None) -> None:
    """Of the whole process, from now on; None: nobody does."""
    _Listening.sink = sink


def on() -> bool:
    return _Listening.sink is not None


def current() -> Span | None:
    """The span within which this thread or task runs."""
    return _current.get()


def traceparent() -> str | None:
    """Of the current span, as it is handed on. None: there is none."""
    span = _current.get()
    return None if span is None else span.context.traceparent


def span(
    name: str, parent: TraceContext | None = None, *, kind: Kind = Kind.INTERNAL, links: Sequence[TraceContext] = ()
) -> Span | Silence:
    """To be entered: what runs within it is its child. Without a parent, a child of the current one, or a new trace."""
    sink = _Listening.sink
    if sink is None:
        return SILENCE
    under = parent or _within()
    return Span(name, _child(sink, name, under), under, kind, links=links)


def told(
    name: str,
    began: int,
    attributes: Attributes,
    *,
    parent: TraceContext | None = None,
    ended: int | None = None,
    kind: Kind = Kind.INTERNAL,
    error: str | None = None,
) -> None:
    """A span that is over by now, of the current one's unless another parent is named."""
    sink = _Listening.sink
    under = parent or _within()
    if sink is not None and under is not None:
        until = time_ns() if ended is None else ended
        own = _child(sink, name, under)
        tell(Span(name, own, under, kind, began=began, ended=until, attributes=dict(attributes), error=error))


def event(name: str, attributes: Attributes) -> None:
    """In the current span, if there is one."""
    span = _current.get()
    if span is not None:
        span.event(name, attributes)


def tell(span: Span) -> None:
    sink = _Listening.sink
    span.ended = span.ended or time_ns()
    if sink is not None and span.context.sampled:
        try:
            sink.take(span)
        except Exception:
            # Whatever it was, the job that is told of goes on.
            log.exception("span_not_taken")


def of_job(job: UUID, asked: str | None) -> tuple[TraceContext, TraceContext | None]:
    """The job's own span, and its parent: that of the request that made the job, as it was stored with it."""
    trace, own = ids_of(job)
    parent = None if asked is None else TraceContext.parse(asked)
    if parent is not None:
        return TraceContext(parent.trace, own, parent.sampled), parent
    sink = _Listening.sink
    return TraceContext(trace, own, sink is not None and sink.samples(trace, "job")), None


def nanos(at: datetime) -> int:
    """Of Unix time."""
    return round(at.timestamp() * _NANOS_PER_SECOND)


def _within() -> TraceContext | None:
    span = _current.get()
    return None if span is None else span.context


def _child(sink: Sink, name: str, parent: TraceContext | None) -> TraceContext:
    if parent is not None:
        return TraceContext(parent.trace, new_span(), parent.sampled)
    trace = new_trace()
    return TraceContext(trace, new_span(), sink.samples(trace, name))
