"""Dead letters: jobs that failed or expired. They are listed, inspected as jobs, and replayed singly or by filter."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from aico.api.problems import documented
from aico.api.relay import find
from aico.api.routers.jobs import After, Limit, rendered
from aico.api.schemas import JobPage, JobView
from aico.api.services import Held, Reader, Writer
from aico.core.errors import Conflict
from aico.core.ids import new_id
from aico.core.inputs import Metadata, Moment, Text
from aico.core.jobs import JobClass, JobStatus
from aico.store import dead_letters
from aico.store.dead_letters import Filter, Replayed
from aico.store.scope import Scope

MAX_REPLAYED = 1000

router = APIRouter(tags=["dead letters"])

DeadStatus = Literal["failed", "expired"]


class ReplayRequest(BaseModel):
    """Which letters; what is left out does not matter. An empty object means all of them."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_REPLAYED)] | None = None
    status: DeadStatus | None = None
    job_class: Annotated[JobClass | None, Field(alias="class")] = None
    error_code: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    created_since: Moment | None = None
    created_before: Moment | None = None
    metadata: Metadata = {}
    limit: Annotated[int, Field(ge=1, le=MAX_REPLAYED)] = 100


class ReplayedView(BaseModel):
    letter: UUID
    job: Annotated[UUID, Field(description="The job that answers it anew.")]


class ReplayView(BaseModel):
    replayed: list[ReplayedView]
    has_more: Annotated[bool, Field(description="Perhaps there are more: ask again.")]


@router.get("/v1/dead-letters", responses=documented(401, 403, 422, 503))
async def list_dead_letters(
    held: Held,
    principal: Reader,
    limit: Limit = 20,
    after: After = None,
    status: DeadStatus | None = None,
    job_class: Annotated[JobClass | None, Query(alias="class")] = None,
    error_code: Annotated[Text | None, Query(max_length=100)] = None,
) -> JobPage:
    """List jobs that failed or expired and were not replayed, newest first; each with its error and history."""
    statement = dead_letters.page(
        principal.tenant,
        after=after,
        status=JobStatus(status) if status else None,
        job_class=job_class,
        error_code=error_code,
        limit=limit + 1,
    )
    return JobPage.of(await held.database.run(Scope.tenant(principal.tenant), statement), limit)


@router.post("/v1/dead-letters/replay", status_code=202, responses=documented(400, 401, 402, 403, 422, 429, 503))
async def replay_by_filter(request: ReplayRequest, held: Held, principal: Writer) -> ReplayView:
    """Submit the oldest of the chosen letters anew, each as a job of its own. A letter is replayed once.

    Letters for which a quota has no room stay; where it has room for none of them, that is the answer.
    """
    chosen = Filter(
        ids=request.ids,
        status=JobStatus(request.status) if request.status else None,
        job_class=request.job_class,
        error_code=request.error_code,
        since=request.created_since,
        until=request.created_before,
        metadata=request.metadata,
    )
    new_ids = [new_id() for _ in range(request.limit)]
    statement = dead_letters.replay(principal.tenant, chosen, new_ids, principal.api_key)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    done = [one for one in found if one.refusal is None]
    if not done:
        _check(found)
    return ReplayView(
        replayed=[ReplayedView(letter=one.old, job=one.new) for one in done],
        has_more=len(found) == request.limit or len(done) < len(found),
    )


@router.post(
    "/v1/jobs/{job_id}/replay",
    status_code=202,
    response_model=JobView,
    responses=documented(401, 402, 403, 404, 409, 422, 429, 503),
)
async def replay_job(job_id: UUID, held: Held, principal: Writer) -> Response:
    """Submit a job that failed or expired anew. Answers with the new job, whose `replay_of` names the old one."""
    statement = dead_letters.replay(principal.tenant, Filter(ids=[job_id]), [new_id()], principal.api_key)
    done = await held.database.run(Scope.tenant(principal.tenant), statement)
    if not done:
        letter = await find(held, principal.tenant, job_id)
        if letter.replayed_as is not None:
            raise Conflict(f"the job has been replayed already, as {letter.replayed_as}")
        raise Conflict(f"the job is {letter.status.value}; only jobs that failed or expired are replayed")
    _check(done)
    return rendered(await find(held, principal.tenant, done[0].new), 202)


def _check(replays: Sequence[Replayed]) -> None:
    """Raises BudgetExceeded or RateLimited for the first that a quota kept out."""
    for replay in replays:
        if replay.refusal is not None:
            raise replay.refusal.error()
