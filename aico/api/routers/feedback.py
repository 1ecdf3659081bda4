"""What callers think of their answers."""

import asyncio
from uuid import UUID

from fastapi import APIRouter

from aico.api.feedback_schemas import COMMENT_CHARACTERS, FeedbackRequest, FeedbackView
from aico.api.problems import documented
from aico.api.services import Held, Reader, Writer
from aico.core.errors import Conflict, NotFound
from aico.core.redaction import PiiPolicy
from aico.store import feedback
from aico.store.scope import Scope
from aico.workers.queue import to_calibrate

router = APIRouter(tags=["jobs"])


@router.post("/v1/feedback", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def give_feedback(request: FeedbackRequest, held: Held, principal: Writer) -> FeedbackView:
    """Say how good a job's answer was. One judgement a job is kept: a later one replaces it.

    The same judgement again changes nothing. It counts as an outcome of the model that answered.
    """
    comment = request.comment
    if comment is not None and principal.pii is PiiPolicy.REDACT:
        cleaned = await asyncio.get_running_loop().run_in_executor(held.cpu, held.redactor.clean_text, comment)
        comment = cleaned[:COMMENT_CHARACTERS]
    statement = feedback.give(principal.tenant, request.job_id, score=request.worth, comment=comment)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    if not found:
        raise NotFound(f"there is no job {request.job_id}", param="job_id")
    stored = found[0].created_at
    if stored is None:
        raise Conflict("the job has no answer that could be judged", param="job_id")
    if found[0].namespace is not None:  # a wrong hit is to have consequences at once
        held.submitter.ring([to_calibrate(principal.tenant, request.job_id)])
    return FeedbackView(job_id=request.job_id, score=request.worth, comment=comment, created_at=stored)


@router.get("/v1/feedback/{job_id}", responses=documented(401, 403, 404, 422, 503))
async def get_feedback(job_id: UUID, held: Held, principal: Reader) -> FeedbackView:
    """Read what was said of a job's answer."""
    found = await held.database.run(Scope.tenant(principal.tenant), feedback.get(principal.tenant, job_id))
    if not found:
        raise NotFound(f"nothing was said of a job {job_id}", param="job_id")
    kept = found[0]
    return FeedbackView(job_id=job_id, score=kept.score, comment=kept.comment, created_at=kept.created_at)
