"""Jobs: submit, poll, wait, list, cancel; and `chat`, which submits and waits."""

import asyncio
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Query, Response
from redis.exceptions import RedisError

from aico.api.auth import Principal
from aico.api.idempotency import HEADER, REPLAYED_HEADER
from aico.api.problems import documented
from aico.api.schemas import MAX_WAIT_SECONDS, JobPage, JobRequest, JobView
from aico.api.services import Held, Reader, Services, Writer
from aico.api.submit_route import SubmitRoute
from aico.api.submitter import KeyTaken
from aico.core.errors import Conflict, KeyReused, NotFound, Unavailable
from aico.core.inputs import Text
from aico.core.jobs import NO_CONTROLS, JobClass, JobStatus
from aico.store import jobs
from aico.store.jobs import IdempotencyKey, NewJob, Submitted
from aico.store.scope import Scope
from aico.workers.queue import CANCELLED_CHANNEL, DONE_CHANNEL, to_notify

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
    job = held.admission.admit(request.submission(), principal.api_key, _parsed(key), principal.cache_mode)
    try:
        stored = await held.submitter.submit(principal.tenant, job)
    except KeyTaken:
        return rendered(await _remembered(held, principal, job), 202, replayed=True)
    return rendered(_accepted(job, stored), 202)


@router.get("/v1/jobs/{job_id}", response_model=JobView, responses=_READ_PROBLEMS)
async def get_job(job_id: UUID, held: Held, principal: Reader, wait: Wait = 0) -> Response:
    """Read a job; with `wait`, as soon as it has ended or the time is up."""
    view = await _ended_or_late(held, principal, job_id, wait)
    return rendered(view, 200)


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
    statement = jobs.cancel(principal.tenant, job_id)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    if not found:
        raise _no_job(job_id)
    cancellation = found[0]
    if cancellation.cancelled:
        held.submitter.ring([to_notify(principal.tenant, delivery) for delivery in cancellation.deliveries])
        await _tell(held, job_id)
    elif cancellation.before is not JobStatus.CANCELLED:
        raise Conflict(f"the job is {cancellation.before.value} already")
    return rendered(await read_job(held, principal, job_id), 200)


@submitting.post("/chat", include_in_schema=False)
@submitting.post("/v1/chat", response_model=JobView, responses={**_SUBMIT_PROBLEMS, 202: {"model": JobView}})
async def chat(
    request: JobRequest, held: Held, principal: Writer, key: Key = None, wait: Wait = MAX_WAIT_SECONDS
) -> Response:
    """Submit and wait. 200 with the ended job, or 202 with one to be polled when the time is up first."""
    job = held.admission.admit(request.submission(), principal.api_key, _parsed(key), principal.cache_mode)
    with held.waiters.expecting(principal.tenant, job.id) as ended:
        try:
            stored = await held.submitter.submit(principal.tenant, job)
        except KeyTaken:
            earlier = await _remembered(held, principal, job)
            view = await _ended_or_late(held, principal, earlier.id, wait)
            return rendered(view, 200 if view.status.final else 202, replayed=True)
        if stored.answer is not None:
            return rendered(_accepted(job, stored), 200)
        await _within(wait, ended)
    view = await read_job(held, principal, job.id)
    return rendered(view, 200 if view.status.final else 202)


def _parsed(key: "str | IdempotencyKey | None") -> IdempotencyKey | None:
    """SubmitRoute has parsed the header; the endpoints' signatures are what the OpenAPI document shows."""
    return key if isinstance(key, IdempotencyKey) else None


def _accepted(job: NewJob, stored: Submitted) -> JobView:
    answered = stored.answer is not None
    return JobView(
        id=stored.id,
        status=JobStatus.COMPLETED if answered else JobStatus.QUEUED,
        job_class=job.job_class,
        created_at=stored.created_at,
        deadline=stored.deadline,
        finished_at=stored.created_at if answered else None,
        stage=None if answered else job.stage,
        admitted=None if answered else stored.admitted,
        model=job.model,
        metadata=job.metadata,
        tags=job.tags or None,
        controls=job.controls if job.controls != NO_CONTROLS else None,
        answer=stored.answer,
        routing=stored.routing,
    )


async def _remembered(held: Services, principal: Principal, job: NewJob) -> JobView:
    """The job that the caller's key stands for. Raises KeyReused where that was another request."""
    if job.idempotency is None:
        raise Unavailable("the job was not stored; send it again")
    scope = Scope.tenant(principal.tenant)
    found = await held.database.run(scope, jobs.remembered(principal.tenant, job.idempotency.key))
    if not found:  # it expired between two statements
        raise Unavailable("the key has just expired; send the request again")
    if found[0].request_hash != job.idempotency.request_hash:
        raise KeyReused(f"this {HEADER} stands for another request, job {found[0].job}", param=HEADER)
    return await read_job(held, principal, found[0].job)


async def _tell(held: Services, job_id: UUID) -> None:
    """Wake who waits, and whoever works on it. Without Redis both notice by themselves, a little later."""
    try:
        async with held.broker.pipeline(transaction=False) as pipe:
            pipe.publish(CANCELLED_CHANNEL, str(job_id))
            pipe.publish(DONE_CHANNEL, str(job_id))
            await pipe.execute()
    except (RedisError, OSError) as error:
        log.warning("cancellation_not_told", error=type(error).__name__)


async def _ended_or_late(held: Services, principal: Principal, job_id: UUID, wait: float) -> JobView:
    if not wait:
        return await read_job(held, principal, job_id)
    with held.waiters.expecting(principal.tenant, job_id) as ended:
        view = await read_job(held, principal, job_id)
        if view.status.final or not await _within(wait, ended):
            return view
    return await read_job(held, principal, job_id)


async def _within(seconds: float, ended: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await ended.wait()
    except TimeoutError:
        return False


async def read_job(held: Services, principal: Principal, job_id: UUID) -> JobView:
    """Raises NotFound, for a job of another tenant too."""
    found = await held.database.run(Scope.tenant(principal.tenant), jobs.get(principal.tenant, job_id))
    if not found:
        raise _no_job(job_id)
    return JobView.of(found[0])


def _no_job(job_id: UUID) -> NotFound:
    return NotFound(f"there is no job {job_id}", param="job_id")


def rendered(view: JobView, status: int, *, replayed: bool = False) -> Response:
    headers = {"Location": f"/v1/jobs/{view.id}"} if status == 202 else {}  # noqa: PLR2004 - HTTP's own number
    if not view.status.final:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if replayed:
        headers[REPLAYED_HEADER] = "true"
    return Response(view.model_dump_json(by_alias=True, exclude_none=True), status, headers, JSON)


router.routes[:0] = submitting.routes  # first, as they are asked for most
