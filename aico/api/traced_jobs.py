"""What the API tells of jobs in traces."""

from decimal import Decimal
from uuid import UUID

import structlog

from aico.api.services import Services
from aico.core.errors import Unavailable
from aico.core.jobs import JobStatus
from aico.store import traces
from aico.store.jobs import NewJob, Submitted
from aico.store.scope import Scope
from aico.store.traces import EndedJob
from aico.tracing import spans
from aico.workers.ended import named, tell_ended

log = structlog.get_logger()


def trace_accepted(tenant: UUID, job: NewJob, stored: Submitted) -> None:
    """Say in the request's span which job it made; and where that has been answered at once, tell the job's own."""
    span = spans.current()
    if span is None:
        return
    span.attributes |= named(tenant, job.id)
    if stored.routing is None:
        return
    told = stored.routing
    tell_ended(
        EndedJob(
            id=job.id,
            tenant=tenant,
            traceparent=job.traceparent,
            job_class=job.job_class.value,
            surface=job.surface.value,
            status=JobStatus.COMPLETED.value,
            created_at=stored.created_at,
            finished_at=stored.created_at,
            provider=told.provider,
            model=told.model,
            cache=told.cache.value,
            cost_cents=Decimal(0),
        )
    )


async def trace_cancelled(held: Services, tenant: UUID, job: UUID) -> None:
    """Tell the job's own span. It never fails a request: the job is cancelled by now."""
    if not spans.on():
        return
    try:
        found = await held.database.run(Scope.tenant(tenant), traces.ended([tenant], [job]))
    except Unavailable:
        log.warning("jobs_not_traced", count=1)
        return
    for ended in found:
        tell_ended(ended)
