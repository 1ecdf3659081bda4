"""Sends spans to a collector, by OTLP over HTTP, with OpenTelemetry's own SDK: the only module that imports it."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from aico import __version__
from aico.tracing.context import TraceContext
from aico.tracing.spans import Attribute, Attributes, Kind, Span

log = structlog.get_logger()

CLOSE_SECONDS = 3.0  # that a process waits for its last spans to be sent
COMPLAINT_SECONDS = 60.0  # between two log lines about a collector that is away
_KINDS = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}


class Exporting:
    """The sink of a process. Samplers, limits and the size of batches are those of the standard variables."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], service: str, names: Mapping[str, str]) -> None:
        """`endpoint` is the collector's, without a signal's path; `names` says how attributes are called otherwise."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it repeats itself, and the collector's address
        self._names = names
        self._ids = _Given()
        resource = Resource.create({"service.name": service, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers))
        self._provider.add_span_processor(BatchSpanProcessor(_Complaining(exporter)))
        self._tracer = self._provider.get_tracer("aico", __version__)

    def samples(self, trace: int, name: str) -> bool:
        return self._provider.sampler.should_sample(None, trace, name).decision is Decision.RECORD_AND_SAMPLE

    def take(self, span: Span) -> None:
        with self._ids.given(span.context):
            parent = None if span.parent is None else set_span_in_context(NonRecordingSpan(_context(span.parent)))
            made = self._tracer.start_span(
                span.name,
                context=parent,
                kind=_KINDS[span.kind],
                attributes=self._named(span.attributes),
                links=[Link(_context(link)) for link in span.links],
                start_time=span.began,
            )
        for event in span.events:
            made.add_event(event.name, self._named(event.attributes), event.at)
        if span.error is not None:
            made.set_attribute("error.type", span.error)
            made.set_status(Status(StatusCode.ERROR))
        made.end(max(span.ended, span.began))

    def close(self) -> None:
        """What a collector does not take in time is lost: the SDK itself would wait for half a minute."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def _named(self, attributes: Attributes) -> dict[str, Attribute]:
        return {self._names.get(name, name): value for name, value in attributes.items() if value is not None}


class _Given(IdGenerator):
    """Gives each span the ids that it has already."""

    def __init__(self) -> None:
        self._here = threading.local()

    @contextmanager
    def given(self, context: TraceContext) -> Iterator[None]:
        self._here.context = context
        try:
            yield
        finally:
            del self._here.context

    def generate_span_id(self) -> int:
        span: int = self._here.context.span
        return span

    def generate_trace_id(self) -> int:
        trace: int = self._here.context.trace
        return trace


class _Complaining(SpanExporter):
    """Says once a minute that spans are lost, and neither where they were to go nor what was answered."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._quiet_until = 0.0
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() >= self._quiet_until:
                log.warning("traces_not_exported", count=self._lost)
                self._quiet_until, self._lost = time.monotonic() + COMPLAINT_SECONDS, 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _context(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(context.trace, context.span, is_remote=True, trace_flags=flags)
