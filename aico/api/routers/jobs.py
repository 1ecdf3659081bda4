"""Jobs: submit, poll, wait, list; and `chat`, which submits and waits."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from aico.api.auth import Principal
from aico.api.problems import documented
from aico.api.schemas import MAX_WAIT_SECONDS, JobPage, JobRequest, JobView
from aico.api.services import Held, Reader, Services, Writer
from aico.api.submit_route import SubmitRoute
from aico.core.errors import NotFound
from aico.core.jobs import JobStatus
from aico.store import jobs
from aico.store.jobs import NewJob, Submitted
from aico.store.scope import Scope

RETRY_AFTER_SECONDS = 1
JSON = "application/json"

router = APIRouter(tags=["jobs"])
submitting = APIRouter(tags=["jobs"], route_class=SubmitRoute)

Wait = Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for the job to end.")]

_SUBMIT_PROBLEMS = documented(400, 401, 403, 404, 413, 422, 503)
_READ_PROBLEMS = documented(401, 403, 404, 422, 503)
_LIST_PROBLEMS = documented(401, 403, 422, 503)


@submitting.post("/v1/jobs", status_code=202, response_model=JobView, responses=_SUBMIT_PROBLEMS)
async def submit_job(request: JobRequest, held: Held, principal: Writer) -> Response:
    """Store a prompt as a durable job. An identical earlier request is answered at once: `status` says so."""
    job = held.admission.admit(principal, request)
    stored = await held.submitter.submit(principal.tenant, job)
    return _rendered(_accepted(job, stored), 202)


@router.get("/v1/jobs/{job_id}", response_model=JobView, responses=_READ_PROBLEMS)
async def get_job(job_id: UUID, held: Held, principal: Reader, wait: Wait = 0) -> Response:
    """Read a job; with `wait`, as soon as it has ended or the time is up."""
    view = await _ended_or_late(held, principal, job_id, wait)
    return _rendered(view, 200)


@router.get("/v1/jobs", responses=_LIST_PROBLEMS)
async def list_jobs(
    held: Held,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
    status: JobStatus | None = None,
) -> JobPage:
    """List jobs, newest first."""
    statement = jobs.page(principal.tenant, after=after, status=status, limit=limit + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    views = [JobView.of(job) for job in found[:limit]]
    more = len(found) > limit
    return JobPage(data=views, has_more=more, next=views[-1].id if more else None)


@submitting.post("/chat", include_in_schema=False)
@submitting.post("/v1/chat", response_model=JobView, responses={**_SUBMIT_PROBLEMS, 202: {"model": JobView}})
async def chat(request: JobRequest, held: Held, principal: Writer, wait: Wait = MAX_WAIT_SECONDS) -> Response:
    """Submit and wait. 200 with the ended job, or 202 with one to be polled when the time is up first."""
    job = held.admission.admit(principal, request)
    with held.waiters.expecting(principal.tenant, job.id) as ended:
        stored = await held.submitter.submit(principal.tenant, job)
        if stored.answer is not None:
            return _rendered(_accepted(job, stored), 200)
        await _within(wait, ended)
    view = await _read(held, principal, job.id)
    return _rendered(view, 200 if view.status.final else 202)


def _accepted(job: NewJob, stored: Submitted) -> JobView:
    return JobView(
        id=stored.id,
        status=JobStatus.QUEUED if stored.answer is None else JobStatus.COMPLETED,
        job_class=job.job_class,
        created_at=stored.created_at,
        finished_at=None if stored.answer is None else stored.created_at,
        model=job.model,
        metadata=job.metadata,
        answer=stored.answer,
        routing=stored.routing,
    )


async def _ended_or_late(held: Services, principal: Principal, job_id: UUID, wait: float) -> JobView:
    if not wait:
        return await _read(held, principal, job_id)
    with held.waiters.expecting(principal.tenant, job_id) as ended:
        view = await _read(held, principal, job_id)
        if view.status.final or not await _within(wait, ended):
            return view
    return await _read(held, principal, job_id)


async def _within(seconds: float, ended: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await ended.wait()
    except TimeoutError:
        return False


async def _read(held: Services, principal: Principal, job_id: UUID) -> JobView:
    found = await held.database.run(Scope.tenant(principal.tenant), jobs.get(principal.tenant, job_id))
    if not found:
        raise NotFound(f"there is no job {job_id}", param="job_id")
    return JobView.of(found[0])


def _rendered(view: JobView, status: int) -> Response:
    headers = {"Location": f"/v1/jobs/{view.id}"} if status == 202 else {}  # noqa: PLR2004 - HTTP's own number
    if not view.status.final:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Response(view.model_dump_json(by_alias=True, exclude_none=True), status, headers, JSON)
