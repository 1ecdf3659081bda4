"""What was asked of a job, and what was tried for it: apart from the job, as both may be long."""

from uuid import UUID

from fastapi import APIRouter

from aico.api.job_detail_schemas import AskedView, JobAttempts, JobAttemptView
from aico.api.problems import documented
from aico.api.relay import find
from aico.api.services import Held, Reader
from aico.core.errors import NotFound
from aico.store import jobs, ledger
from aico.store.scope import Scope

MOST_ATTEMPTS = 200  # of one job; a job is put back 20 times at most

router = APIRouter(tags=["jobs"])

_PROBLEMS = documented(401, 403, 404, 422, 503)


@router.get("/v1/jobs/{job_id}/request", responses=_PROBLEMS)
async def get_job_request(job_id: UUID, held: Held, principal: Reader) -> AskedView:
    """Read what was asked: the conversation, the model that was named, and the parameters."""
    found = await held.database.run(Scope.tenant(principal.tenant), jobs.question(principal.tenant, job_id))
    if not found:
        raise NotFound(f"there is no job {job_id}", param="job_id")
    return AskedView.of(found[0])


@router.get("/v1/jobs/{job_id}/attempts", responses=_PROBLEMS)
async def list_job_attempts(job_id: UUID, held: Held, principal: Reader) -> JobAttempts:
    """List what was tried to answer a job, with what each attempt cost; while it is open, so far."""
    job = await find(held, principal.tenant, job_id)
    statement = ledger.of_job(principal.tenant, job_id, since=job.created_at, limit=MOST_ATTEMPTS + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    return JobAttempts(
        data=[JobAttemptView.of(one) for one in found[:MOST_ATTEMPTS]], has_more=len(found) > MOST_ATTEMPTS
    )
