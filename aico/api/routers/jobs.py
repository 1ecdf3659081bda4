"""Jobs: submit, poll, wait, list, cancel; and `chat`, which submits and waits."""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Query, Response
from redis.exceptions import RedisError

from aico.api.answering import admitted, answered, ended_or_late, submitted
from aico.api.idempotency import HEADER, REPLAYED_HEADER
from aico.api.problems import documented
from aico.api.relay import find
from aico.api.schemas import MAX_WAIT_SECONDS, JobPage, JobRequest, JobView
from aico.api.services import Held, Reader, Services, Writer
from aico.api.submit_route import SubmitRoute, parsed
from aico.api.traced_jobs import trace_cancelled
from aico.core.errors import Conflict, NotFound
from aico.core.inputs import Text
from aico.core.jobs import Job, JobClass, JobStatus
from aico.store import flights, jobs
from aico.store.scope import Scope
from aico.workers.queue import CANCELLED_CHANNEL, DONE_CHANNEL, to_notify, to_route

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 1
JSON = "application/json"

router = APIRouter(tags=["jobs"])
submitting = APIRouter(tags=["jobs"], route_class=SubmitRoute)  # joins `router` at the end of this module

Wait = Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for the job to end.")]
Key = Annotated[
    str | None,
    Header(alias=HEADER, description="The same key and request stand for the same job, so a repetition is safe."),
]
After = Annotated[UUID | None, Query(description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100)]

_SUBMIT_PROBLEMS = documented(400, 401, 402, 403, 404, 413, 422, 429, 503)
_READ_PROBLEMS = documented(401, 403, 404, 422, 503)
_CHANGE_PROBLEMS = documented(401, 403, 404, 409, 422, 503)
_LIST_PROBLEMS = documented(401, 403, 422, 503)


@submitting.post("/v1/jobs", status_code=202, response_model=JobView, responses=_SUBMIT_PROBLEMS)
async def submit_job(request: JobRequest, held: Held, principal: Writer, key: Key = None) -> Response:
    """Store a prompt as a durable job. An identical earlier request is answered at once: `status` says so."""
    taken = await submitted(held, principal, await admitted(held, principal, request.submission(), parsed(key)))
    return rendered(taken.job, 202, replayed=taken.replayed)


@router.get("/v1/jobs/{job_id}", response_model=JobView, responses=_READ_PROBLEMS)
async def get_job(job_id: UUID, held: Held, principal: Reader, wait: Wait = 0) -> Response:
    """Read a job; with `wait`, as soon as it has ended or the time is up."""
    return rendered(await ended_or_late(held, principal.tenant, job_id, wait), 200)


@router.get("/v1/jobs", responses=_LIST_PROBLEMS)
async def list_jobs(
    held: Held,
    principal: Reader,
    limit: Limit = 20,
    after: After = None,
    status: JobStatus | None = None,
    job_class: Annotated[JobClass | None, Query(alias="class")] = None,
    tag: Annotated[Text | None, Query(max_length=64, description="Only jobs that have this tag.")] = None,
) -> JobPage:
    """List jobs, newest first."""
    statement = jobs.page(principal.tenant, after=after, status=status, job_class=job_class, tag=tag, limit=limit + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    return JobPage.of(found, limit)


@router.post("/v1/jobs/{job_id}/cancel", response_model=JobView, responses=_CHANGE_PROBLEMS)
async def cancel_job(job_id: UUID, held: Held, principal: Writer) -> Response:
    """End a job wherever it is; a call under way is broken off. Cancelling a cancelled job changes nothing."""
    before = await cancelled(held, principal.tenant, job_id)
    if before.final and before is not JobStatus.CANCELLED:
        raise Conflict(f"the job is {before.value} already")
    return rendered(await find(held, principal.tenant, job_id), 200)


@submitting.post("/chat", include_in_schema=False)
@submitting.post("/v1/chat", response_model=JobView, responses={**_SUBMIT_PROBLEMS, 202: {"model": JobView}})
async def chat(
    request: JobRequest, held: Held, principal: Writer, key: Key = None, wait: Wait = MAX_WAIT_SECONDS
) -> Response:
    """Submit and wait. 200 with the ended job, or 202 with one to be polled when the time is up first."""
    job = await admitted(held, principal, request.submission(), parsed(key))
    taken = await answered(held, principal, job, wait)
    return rendered(taken.job, 200 if taken.job.status.final else 202, replayed=taken.replayed)


async def cancelled(held: Services, tenant: UUID, job_id: UUID) -> JobStatus:
    """End the job if it has not ended; the state in which it was. Raises NotFound."""
    structlog.contextvars.bind_contextvars(job_id=str(job_id))
    found = await held.database.run(Scope.tenant(tenant), jobs.cancel(tenant, job_id))
    if not found:
        raise NotFound(f"there is no job {job_id}", param="job_id")
    cancellation = found[0]
    if cancellation.cancelled:
        held.submitter.ring([to_notify(tenant, delivery) for delivery in cancellation.deliveries])
        await _tell(held, job_id)
        await trace_cancelled(held, tenant, job_id)
        lead = await held.database.run(Scope.tenant(tenant), flights.hand_over(tenant, job_id))
        held.submitter.ring([to_route(tenant, one.id, one.job_class) for one in lead])
    return cancellation.before


async def _tell(held: Services, job_id: UUID) -> None:
    """Wake who waits, and whoever works on it. Without Redis both notice by themselves, a little later."""
    try:
        async with held.broker.pipeline(transaction=False) as pipe:
            pipe.publish(CANCELLED_CHANNEL, str(job_id))
            pipe.publish(DONE_CHANNEL, str(job_id))
            await pipe.execute()
    except (RedisError, OSError) as error:
        log.warning("cancellation_not_told", error=type(error).__name__)


def rendered(job: Job, status: int, *, replayed: bool = False) -> Response:
    headers = {"Location": f"/v1/jobs/{job.id}"} if status == 202 else {}  # noqa: PLR2004 - HTTP's own number
    if not job.status.final:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if replayed:
        headers[REPLAYED_HEADER] = "true"
    view = JobView.of(job)
    return Response(view.model_dump_json(by_alias=True, exclude_none=True), status, headers, JSON)


router.routes[:0] = submitting.routes  # first, as they are asked for most
