"""Submitting a job and waiting for its end: what all doors that answer have in common."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import structlog
from fastapi import Request

from aico.api.auth import Principal
from aico.api.idempotency import HEADER, REPLAYED_HEADER
from aico.api.relay import find
from aico.api.services import Services
from aico.api.submitter import KeyTaken
from aico.api.traced_jobs import trace_accepted
from aico.core.errors import KeyReused, Unavailable
from aico.core.jobs import Job, JobStatus, Surface
from aico.core.submission import Submission
from aico.store import jobs
from aico.store.jobs import IdempotencyKey, NewJob, Submitted
from aico.store.scope import Scope
from aico.wire.chat_answer import headers_of
from aico.wire.ids import Prefix, row_id
from aico.workers.admission import Asker


@dataclass(frozen=True, slots=True)
class Taken:
    """A stored job as it stands. `replayed`: an idempotency key stood for it already."""

    job: Job
    replayed: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """How the answer came about, for those who read headers."""
        return headers_of(self.job.id, self.job.routing) | ({REPLAYED_HEADER: "true"} if self.replayed else {})


async def admitted(
    held: Services, principal: Principal, submission: Submission, key: IdempotencyKey | None = None
) -> NewJob:
    """Raises as Admission.admit does, and Unavailable where personal data cannot be replaced as it is to be."""
    if held.redactor.needed(submission, principal.pii):
        submission = await asyncio.get_running_loop().run_in_executor(held.cpu, held.redactor.clean, submission)
    own = await held.own_keys.providers(principal.tenant)
    asker = Asker(
        api_key=principal.api_key,
        cache_mode=principal.cache_mode,
        models=principal.models,
        own_providers=own,
        programme=principal.programme,
        cache_personal=principal.cache_personal,
    )
    return held.admission.admit(submission, asker, key)


async def submitted(held: Services, principal: Principal, job: NewJob) -> Taken:
    """Raises KeyReused where the idempotency key stands for another request."""
    structlog.contextvars.bind_contextvars(job_id=str(job.id))
    try:
        stored = await held.submitter.submit(principal.tenant, job)
    except KeyTaken:
        return Taken(await _remembered(held, principal, job), replayed=True)
    trace_accepted(principal.tenant, job, stored)
    return Taken(_accepted(job, stored))


async def answered(
    held: Services, principal: Principal, job: NewJob, wait: float, http: Request | None = None
) -> Taken:
    """Submit, and wait for at most `wait` seconds, or until whoever asks by `http` has gone; the job goes on anyway."""
    with held.waiters.expecting(principal.tenant, job.id) as ended:
        taken = await submitted(held, principal, job)
        if taken.replayed:
            return Taken(await ended_or_late(held, principal.tenant, taken.job.id, wait), replayed=True)
        if taken.job.status.final:
            return taken
        await _within(wait, ended, http)
    return Taken(await find(held, principal.tenant, job.id))


async def named(held: Services, tenant: UUID, prefix: Prefix, name: str, surface: Surface) -> Job | None:
    """The tenant's job of that public id, if it came through that door."""
    row = row_id(prefix, name)
    found = [] if row is None else await held.database.run(Scope.tenant(tenant), jobs.get(tenant, row))
    return found[0] if found and found[0].surface is surface else None


async def ended_or_late(held: Services, tenant: UUID, job_id: UUID, wait: float) -> Job:
    """The job once it has ended, or as it stands when the time is up."""
    if not wait:
        return await find(held, tenant, job_id)
    with held.waiters.expecting(tenant, job_id) as ended:
        job = await find(held, tenant, job_id)
        if job.status.final or not await _within(wait, ended, None):
            return job
    return await find(held, tenant, job_id)


async def _within(seconds: float, ended: asyncio.Event, http: Request | None) -> bool:
    waits: set[asyncio.Task[object]] = {asyncio.create_task(_set(ended))}
    if http is not None:
        waits.add(asyncio.create_task(_gone(http)))
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
    return ended.is_set()


async def _set(ended: asyncio.Event) -> object:
    return await ended.wait()


async def _gone(http: Request) -> object:
    """Returns when the caller has closed the connection. The body must have been read."""
    while (message := await http.receive())["type"] != "http.disconnect":
        pass
    return message


def _accepted(job: NewJob, stored: Submitted) -> Job:
    hit = stored.answer is not None
    return Job(
        id=stored.id,
        status=JobStatus.COMPLETED if hit else JobStatus.QUEUED,
        stage=job.stage,
        job_class=job.job_class,
        created_at=stored.created_at,
        deadline=stored.deadline,
        finished_at=stored.created_at if hit else None,
        admitted=stored.admitted,
        model=job.model,
        metadata=job.metadata,
        tags=job.tags,
        controls=job.controls,
        surface=job.surface,
        echo=job.echo,
        streams=job.streams,
        answer=stored.answer,
        routing=stored.routing,
    )


async def _remembered(held: Services, principal: Principal, job: NewJob) -> Job:
    """The job that the caller's key stands for. Raises KeyReused where that was another request."""
    if job.idempotency is None:
        raise Unavailable("the job was not stored; send it again")
    scope = Scope.tenant(principal.tenant)
    found = await held.database.run(scope, jobs.remembered(principal.tenant, job.idempotency.key))
    if not found:  # it expired between two statements
        raise Unavailable("the key has just expired; send the request again")
    if found[0].request_hash != job.idempotency.request_hash:
        raise KeyReused(f"this {HEADER} stands for another request, job {found[0].job}", param=HEADER)
    return await find(held, principal.tenant, found[0].job)
