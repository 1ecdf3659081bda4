"""A job's own span in its trace: told by whoever ends the job, from its creation to its end."""

from collections.abc import Collection, Sequence
from uuid import UUID

import structlog

from aico.core.errors import Unavailable
from aico.store import traces
from aico.store.scope import Scope
from aico.store.traces import EndedJob
from aico.tracing import spans
from aico.tracing.genai import dollars
from aico.tracing.spans import Attributes, Span, SpanEvent, nanos
from aico.workers.runtime import Runtime

log = structlog.get_logger()

_ANSWERED = {"completed", "incomplete"}


def trace_ended(runtime: Runtime, tenants: Collection[UUID], jobs: Sequence[UUID]) -> None:
    """Tell the own spans of jobs that have just ended. One statement while traces are on; it never fails a job."""
    if not spans.on() or not jobs:
        return
    scope = Scope.each(tenants, durable=False)
    try:
        found = runtime.database.run(scope, traces.ended(list(tenants), jobs))
    except Unavailable:
        log.warning("jobs_not_traced", count=len(jobs))
        return
    for job in found:
        tell_ended(job)


def tell_ended(job: EndedJob) -> None:
    """A job's own span, from its creation to its end, with each time that it was put back."""
    own, parent = spans.of_job(job.id, job.traceparent)
    spans.tell(
        Span(
            "job",
            own,
            parent,
            began=nanos(job.created_at),
            ended=nanos(job.finished_at),
            attributes={**named(job.tenant, job.id), **_ended(job)},
            events=[SpanEvent("put_back", nanos(at), {"aico.reason": reason}) for at, reason in job.put_back],
            error=None if job.status in _ANSWERED else job.error or job.status,
        )
    )


def _ended(job: EndedJob) -> Attributes:
    return {
        "aico.job.class": job.job_class,
        "aico.job.surface": job.surface,
        "aico.job.status": job.status,
        "aico.job.retries": job.retries,
        "aico.job.attempts": job.attempts,
        "aico.route.strategy": job.strategy,
        "aico.route.lane": job.lane,
        "aico.provider": job.provider,
        "aico.model.id": job.model,
        "aico.cache.result": job.cache,
        "aico.cache.similarity": job.similarity,
        "aico.cost.usd": dollars(job.cost_cents),
        "aico.baseline.usd": dollars(job.baseline_cost_cents),
    }


def named(tenant: UUID, job: UUID) -> Attributes:
    return {"aico.tenant.id": str(tenant), "aico.job.id": str(job)}
