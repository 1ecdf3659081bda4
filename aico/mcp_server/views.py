"""What the tools return. Costs are US cents as decimal strings, as the API has them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field

from aico.core.jobs import CacheState, JobClass, JobStatus

_CACHE = ("similarity", "cache_score", "error_bound", "error_target", "judged")

Cents = Annotated[str | None, Field(description="US cents; null where a price is not known.")]


class Answered(BaseModel):
    """An answer and how it came about."""

    job_id: str
    text: str
    finish_reason: str
    provider: str
    model: str
    cache: Annotated[
        CacheState,
        Field(
            description="exact or semantic: served again; shared: of a call for several who "
            "asked the same at once; miss: a model was called."
        ),
    ]
    similarity: float | None = None
    cache_score: Annotated[
        float | None, Field(description="Of a semantic hit: how probable it was that the answer serves this question.")
    ] = None
    error_bound: Annotated[
        float | None, Field(description="Of a semantic hit: what wrong answers per hit are below; null: not known yet.")
    ] = None
    error_target: Annotated[float | None, Field(description="The error per hit that the tenant allows.")] = None
    judged: Annotated[int | None, Field(description="Samples of which the bound was computed.")] = None
    cost_cents: Cents = None
    baseline_model: str | None = None
    saved_cents: Annotated[Cents, Field(description="What the baseline model would have cost more.")] = None
    input_tokens: int
    output_tokens: int

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> "Answered":
        answer, routing = job["answer"], job["routing"]
        return cls(
            job_id=job["id"],
            text=answer["text"],
            finish_reason=answer["finish_reason"],
            provider=routing["provider"],
            model=routing["model"],
            cache=routing["cache"],
            **{name: routing.get(name) for name in _CACHE},
            cost_cents=routing.get("cost_cents"),
            baseline_model=routing.get("baseline_model"),
            saved_cents=_saved(routing),
            input_tokens=answer["input_tokens"],
            output_tokens=answer["output_tokens"],
        )


class JobState(BaseModel):
    """Where a job is, and its answer once it has one."""

    job_id: str
    status: JobStatus
    ended: bool
    progress: Annotated[str, Field(description="What it does or waits for; of a job that has ended, how.")]
    job_class: JobClass
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None = None
    metadata: dict[str, str] = {}
    answer: Answered | None = None
    error: Annotated[str | None, Field(description="Why there is no answer.")] = None

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> "JobState":
        return cls(
            job_id=job["id"],
            status=job["status"],
            ended=ended(job),
            progress=progress(job),
            job_class=job["class"],
            created_at=job["created_at"],
            deadline=job["deadline"],
            finished_at=job.get("finished_at"),
            metadata=job.get("metadata", {}),
            answer=Answered.of(job) if answered(job) else None,
            error=failure(job),
        )


class BatchResult(BaseModel):
    """One line's answer, or why it has none."""

    custom_id: str
    text: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None


class BatchResults(BaseModel):
    """What became of a batch. Results are in the order of their custom ids."""

    batch_id: str
    status: str
    total: int
    answered: int
    failed: int
    results: list[BatchResult]


class ModelCosts(BaseModel):
    """One line of the summary: calls of a model, or answers of its that were served again."""

    kind: str
    provider: str
    model: str
    attempts: int
    answered: int
    failed: int
    cost_cents: str
    saved_cents: str


class CostSummary(BaseModel):
    """What was spent, what the baseline model would have cost, and the difference."""

    since: datetime
    until: datetime
    cost_cents: str
    baseline_cost_cents: str
    saved_cents: str
    routing_cost_cents: Annotated[str, Field(description="Of the cost: shadow answers and their judge.")]
    unpriced_attempts: Annotated[int, Field(description="Attempts without a known price; not in the sums.")]
    pending_events: Annotated[int, Field(description="Finished attempts that are about to be booked.")]
    rows: list[ModelCosts]


class Feedback(BaseModel):
    """The judgement that is kept; it replaces an earlier one."""

    job_id: str
    score: float
    comment: str | None
    created_at: datetime


def ended(job: Mapping[str, Any]) -> bool:
    return JobStatus(job["status"]).final


def answered(job: Mapping[str, Any]) -> bool:
    return bool(job.get("answer") and job.get("routing"))


def progress(job: Mapping[str, Any]) -> str:
    """A few words on where the job is."""
    if ended(job):
        return str(job["status"])
    if job.get("run_after"):
        return f"{job['status']}, held until {job['run_after']}"
    if job.get("admitted") is False:
        return f"{job['status']}, waits for its turn"
    return f"{job['status']}, {job['stage']}"


def failure(job: Mapping[str, Any]) -> str | None:
    """Why a job that has ended has no answer; None for any other."""
    if not ended(job) or answered(job):
        return None
    error = job.get("error")
    return f"{error['code']}: {error['message']}" if error else f"the job is {job['status']}"


def _saved(routing: Mapping[str, Any]) -> str | None:
    cost, baseline = routing.get("cost_cents"), routing.get("baseline_cost_cents")
    return None if cost is None or baseline is None else str(Decimal(baseline) - Decimal(cost))
