"""Statements about jobs as their tenant sees them. What each does in the database stands in `jobs.sql`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from aico.core.assignment import NOT_ASSIGNED, Assigned
from aico.core.canonical import CacheKey
from aico.core.chat import AUTO_MODEL, ChatRequest
from aico.core.jobs import (
    NO_CONTROLS,
    Answer,
    CacheMode,
    Controls,
    Job,
    JobClass,
    JobStatus,
    RoutingReport,
    Stage,
    Surface,
)
from aico.core.quotas import NOTHING_EXPECTED, Expected, Refusal
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("jobs")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller calls a request, a SHA-256 of what was asked for under it, and how long that is remembered."""

    key: str
    request_hash: bytes
    ttl_seconds: float


@dataclass(frozen=True, slots=True)
class BatchLine:
    """Which line of which batch a job answers. Lines are counted from 1; the fence is of the batch's holder."""

    batch: UUID
    number: int
    custom_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class NewJob:
    id: UUID
    api_key_id: UUID | None
    job_class: JobClass
    cache_mode: CacheMode
    request: dict[str, Any]  # ChatRequest as JSON
    key: CacheKey
    metadata: dict[str, str]
    timeout_seconds: float  # its life where no deadline is given
    deadline: datetime | None = None
    priority_seconds: int = 0  # head start within the tenant's own queue
    max_retries: int = 8
    idempotency: IdempotencyKey | None = None
    searchable: bool = True  # its last turn is plain words, which can be compared by meaning
    controls: Controls = NO_CONTROLS
    tags: tuple[str, ...] = ()
    surface: Surface = Surface.JOB
    echo: dict[str, Any] = field(default_factory=dict)
    streams: bool = False
    batch: BatchLine | None = None
    expected: Expected = NOTHING_EXPECTED
    assigned: Assigned = NOT_ASSIGNED
    traceparent: str | None = None  # of the request that makes it, while traces are on

    @property
    def stage(self) -> Stage:
        """Where it begins: only what is searched by meaning, or to be found that way later, needs a vector."""
        meant = self.searchable and self.cache_mode in {CacheMode.SEMANTIC, CacheMode.REFRESH}
        return Stage.EMBED if meant else Stage.ROUTE

    @property
    def model(self) -> str:
        return str(self.request.get("model", AUTO_MODEL))


@dataclass(frozen=True, slots=True)
class Submitted:
    """A stored job; `answer` is there when it was served from the exact cache at once.

    With a `refusal` nothing was stored: a quota has no room for it.
    """

    id: UUID
    created_at: datetime
    deadline: datetime
    answer: Answer | None
    routing: RoutingReport | None
    admitted: bool  # its bell may ring; otherwise it waits for its turn
    deliveries: list[UUID] = field(default_factory=list)  # to webhook endpoints, made in the same transaction
    refusal: Refusal | None = None


def submit(tenant: UUID, jobs: Sequence[NewJob]) -> Statement[Submitted]:
    """Insert jobs; those with a live answer to their fingerprint are completed at once. O(jobs) index probes.

    No row for a job whose idempotency key is taken: nothing was stored for it. No two of `jobs` may have one key.

    Where the tenant has quotas, what the jobs may use is reserved, the first of them first. A line of a batch that is
    refused becomes a fault of the batch.
    """
    # One text of JSON: to make arrays of each field takes the driver several times as long.
    rows = json.dumps([{"number": number, **_row(job)} for number, job in enumerate(jobs)])
    return Statement(_SQL["submit"], {"tenant": tenant, "jobs": rows}, _submitted)


def _row(job: NewJob) -> dict[str, Any]:
    """What most jobs do not have is left out."""
    row: dict[str, Any] = {
        "id": str(job.id),
        "class": job.job_class,
        "cache_mode": job.cache_mode,
        "request": job.request,
        "namespace": _hex(job.key.namespace),
        "fingerprint": _hex(job.key.fingerprint),
        "metadata": job.metadata,
        "timeout": job.timeout_seconds,
        "priority": job.priority_seconds,
        "max_retries": job.max_retries,
        "stage": job.stage,
        "reads": job.cache_mode.reads,
        "surface": job.surface,
        "streams": job.streams,
        "tokens": job.expected.tokens,
        "cents": str(job.expected.cents),
    }
    if job.assigned is not NOT_ASSIGNED:
        row["assigned"] = job.assigned.model_dump(mode="json", exclude_defaults=True)
    if job.api_key_id is not None:
        row["api_key_id"] = str(job.api_key_id)
    if job.traceparent is not None:
        row["traceparent"] = job.traceparent
    if job.deadline is not None:
        row["deadline_given"] = job.deadline.isoformat()
    if job.idempotency is not None:
        kept = job.idempotency
        row |= {"key": kept.key, "request_hash": _hex(kept.request_hash), "key_ttl": kept.ttl_seconds}
    if job.controls is not NO_CONTROLS:
        controls = job.controls.model_dump(mode="json", exclude_none=True)
        row |= {"controls": controls, "max_age": job.controls.max_staleness_seconds}
    if job.tags or job.echo:
        row |= {"tags": job.tags, "echo": job.echo}
    if job.batch is not None:
        row |= {"batch_id": str(job.batch.batch), "batch_line": job.batch.number}
        row |= {"custom_id": job.batch.custom_id, "batch_fence": job.batch.fence}
    return row


def _hex(data: bytes) -> str:
    """As Postgres reads a bytea."""
    return f"\\x{data.hex()}"


def _submitted(row: Row) -> Submitted:
    return Submitted(
        id=row["id"],
        created_at=row["created_at"],
        deadline=row["deadline"],
        answer=Answer.model_validate(row["answer"]) if row["answer"] else None,
        routing=RoutingReport.model_validate(row["routing"]) if row["answer"] else None,
        admitted=row["admitted"],
        deliveries=row["deliveries"],
        refusal=Refusal.of(row["refusal"]) if row["refusal"] else None,
    )


@dataclass(frozen=True, slots=True)
class Remembered:
    request_hash: bytes
    job: UUID


def remembered(tenant: UUID, key: str) -> Statement[Remembered]:
    """The job that an idempotency key stands for, while it is kept."""
    params = {"tenant": tenant, "key": key}
    return Statement(_SQL["remembered"], params, lambda row: Remembered(bytes(row["request_hash"]), row["job_id"]))


@dataclass(frozen=True, slots=True)
class Cancellation:
    before: JobStatus
    cancelled: bool  # False: it had already ended
    deliveries: list[UUID]


def cancel(tenant: UUID, job: UUID) -> Statement[Cancellation]:
    """End a job wherever it is; whoever works on it holds a stale fence from then on. No row: there is no such job."""
    return Statement(
        _SQL["cancel"],
        {"tenant": tenant, "id": job},
        lambda row: Cancellation(JobStatus(row["before"]), row["cancelled"], row["deliveries"]),
    )


def delete(tenant: UUID, job: UUID) -> Statement[UUID]:
    """Remove an ended job. No row: it has not ended, or there is none."""
    return Statement(_SQL["delete"], {"tenant": tenant, "id": job}, lambda row: row["id"])


def get(tenant: UUID, job: UUID) -> Statement[Job]:
    return Statement(_SQL["get"], {"tenant": tenant, "id": job}, job_of)


def question(tenant: UUID, job: UUID) -> Statement[ChatRequest]:
    """What was asked: apart from the job, because it may hold megabytes of pictures."""
    params = {"tenant": tenant, "id": job}
    return Statement(_SQL["question"], params, lambda row: ChatRequest.model_validate(row["request"]))


def page(
    tenant: UUID,
    *,
    after: UUID | None,
    status: JobStatus | None,
    limit: int,
    job_class: JobClass | None = None,
    tag: str | None = None,
) -> Statement[Job]:
    """Newest first, strictly older than `after`. O(limit) along the primary key, and the rows that a filter skips."""
    params = {
        "tenant": tenant,
        "after": after,
        "status": status and status.value,
        "class": job_class and job_class.value,
        "tag": tag,
        "limit": limit,
    }
    return Statement(_SQL["page"], params, job_of)


def job_of(row: Row) -> Job:
    return Job(
        id=row["id"],
        status=row["status"],
        stage=row["stage"],
        job_class=row["class"],
        created_at=row["created_at"],
        deadline=row["deadline"],
        finished_at=row["finished_at"],
        admitted=row["admitted"],
        run_after=row["run_after"],
        retries=row["retries"],
        history=row["history"],
        replay_of=row["replay_of"],
        replayed_as=row["replayed_as"],
        model=row["model"],
        metadata=row["metadata"],
        tags=row["tags"],
        controls=row["controls"],
        surface=row["surface"],
        echo=row["echo"],
        streams=row["streams"],
        fence=row["fence"],
        batch_id=row["batch_id"],
        batch_line=row["batch_line"],
        custom_id=row["custom_id"],
        answer=row["answer"],
        routing=row["routing"],
        error=row["error"],
    )


def finished(tenant: UUID, ids: Sequence[UUID]) -> Statement[UUID]:
    """Which of these have reached a final state."""
    return Statement(_SQL["finished"], {"tenant": tenant, "ids": list(ids)}, lambda row: row["id"])
