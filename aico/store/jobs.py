"""Statements about jobs. What each does in the database stands in `jobs.sql`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from aico.core.attempts import Attempt, Baseline, Policy
from aico.core.canonical import CacheKey
from aico.core.chat import AUTO_MODEL, ChatRequest
from aico.core.jobs import Answer, CacheMode, Job, JobClass, JobError, JobStatus, RoutingReport
from aico.store.ledger import event_row
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("jobs")


@dataclass(frozen=True, slots=True)
class NewJob:
    id: UUID
    api_key_id: UUID | None
    job_class: JobClass
    cache_mode: CacheMode
    request: dict[str, Any]  # ChatRequest as JSON
    key: CacheKey
    metadata: dict[str, str]
    timeout_seconds: float

    @property
    def model(self) -> str:
        return str(self.request.get("model", AUTO_MODEL))


@dataclass(frozen=True, slots=True)
class Submitted:
    """A stored job; `answer` is there when it was served from the exact cache at once."""

    id: UUID
    created_at: datetime
    answer: Answer | None
    routing: RoutingReport | None


def submit(tenant: UUID, jobs: Sequence[NewJob]) -> Statement[Submitted]:
    """Insert jobs; those with a live answer to their fingerprint are completed at once. O(jobs) index probes."""
    reads = [job.cache_mode in {CacheMode.EXACT, CacheMode.SEMANTIC} for job in jobs]
    stages = ["embed" if job.cache_mode in {CacheMode.SEMANTIC, CacheMode.REFRESH} else "route" for job in jobs]
    params = {
        "tenant": tenant,
        "ids": [job.id for job in jobs],
        "key_ids": [job.api_key_id for job in jobs],
        "classes": [job.job_class.value for job in jobs],
        "cache_modes": [job.cache_mode.value for job in jobs],
        "requests": [Jsonb(job.request) for job in jobs],
        "namespaces": [job.key.namespace for job in jobs],
        "fingerprints": [job.key.fingerprint for job in jobs],
        "metadata": [Jsonb(job.metadata) for job in jobs],
        "timeouts": [float(job.timeout_seconds) for job in jobs],
        "stages": stages,
        "reads": reads,
    }
    return Statement(_SQL["submit"], params, _submitted)


def _submitted(row: Row) -> Submitted:
    return Submitted(
        id=row["id"],
        created_at=row["created_at"],
        answer=Answer.model_validate(row["answer"]) if row["answer"] else None,
        routing=RoutingReport.model_validate(row["routing"]) if row["answer"] else None,
    )


@dataclass(frozen=True, slots=True)
class ToEmbed:
    id: UUID
    fence: int
    namespace: bytes
    cache_mode: CacheMode
    job_class: JobClass
    text: str
    api_key_id: UUID | None
    threshold: float


def to_embed(tenant: UUID, ids: Sequence[UUID], default_threshold: float) -> Statement[ToEmbed]:
    params = {"tenant": tenant, "ids": list(ids), "threshold": default_threshold}
    return Statement(_SQL["to_embed"], params, _to_embed)


def _to_embed(row: Row) -> ToEmbed:
    return ToEmbed(
        id=row["id"],
        fence=row["fence"],
        namespace=row["namespace"],
        cache_mode=CacheMode(row["cache_mode"]),
        job_class=JobClass(row["class"]),
        text=row["text"],
        api_key_id=row["api_key_id"],
        threshold=row["threshold"],
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for a worker of a class."""

    id: UUID
    job_class: JobClass


def advance(
    tenant: UUID, jobs: Sequence[ToEmbed], vectors: Iterable[NDArray[np.float32] | None], model: str
) -> Statement[Waiting]:
    """Keep each job's vector of 384 numbers, if it has one, and hand the jobs on to routing."""
    params = {
        "tenant": tenant,
        "ids": [job.id for job in jobs],
        "fences": [job.fence for job in jobs],
        "embeddings": [None if vector is None else HalfVector(vector) for vector in vectors],
        "model": model,
    }
    return Statement(_SQL["advance"], params, lambda row: Waiting(row["id"], JobClass(row["class"])))


ClaimKey = tuple[UUID, int]  # a job may be claimed again by the same process; the fence tells the claims apart


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a job until the lease runs out; `fence` proves it."""

    tenant: UUID
    id: UUID
    fence: int
    request: ChatRequest
    cache_mode: CacheMode
    api_key_id: UUID | None
    baseline_model: str | None
    taken_over: bool  # another worker held it and stopped renewing its lease
    seconds_left: float


def claim(tenant: UUID, job: UUID, lease_seconds: float) -> Statement[Claim]:
    """No row: the job is finished, or somebody else holds it."""

    def parse(row: Row) -> Claim:
        return Claim(
            tenant=tenant,
            id=row["id"],
            fence=row["fence"],
            request=ChatRequest.model_validate(row["request"]),
            cache_mode=CacheMode(row["cache_mode"]),
            api_key_id=row["api_key_id"],
            baseline_model=row["baseline_model"],
            taken_over=row["taken_over"],
            seconds_left=row["seconds_left"],
        )

    return Statement(_SQL["claim"], {"tenant": tenant, "id": job, "lease": lease_seconds}, parse)


def renew(held: Sequence[Claim], lease_seconds: float) -> Statement[ClaimKey]:
    """One statement a process: extends every lease that it still holds, and returns which those are."""
    params = {
        "tenants": list({claim.tenant for claim in held}),
        "ids": [claim.id for claim in held],
        "fences": [claim.fence for claim in held],
        "lease": lease_seconds,
    }
    return Statement(_SQL["renew"], params, lambda row: (row["id"], row["fence"]))


@dataclass(frozen=True, slots=True)
class Ending:
    """A job's final state. `keep` caches the answer; `attempts` go to the ledger even when the ending is refused."""

    id: UUID
    fence: int
    status: JobStatus
    api_key_id: UUID | None = None
    answer: Answer | None = None
    routing: RoutingReport | None = None
    error: JobError | None = None
    keep: bool = False
    attempts: tuple[Attempt, ...] = field(default=())
    baseline: Baseline | None = None
    policy: Policy | None = None

    def events(self, tenant: UUID) -> list[dict[str, Any]]:
        """Rows of the ledger. The baseline belongs to the attempt that answered, so that it is counted once."""
        return [
            event_row(tenant, self.id, self.api_key_id, attempt, self.policy, self.baseline)
            for attempt in self.attempts
        ]


@dataclass(frozen=True, slots=True)
class Ended:
    id: UUID
    deliveries: int  # to webhook endpoints, made in the same transaction


def finish(tenant: UUID, endings: Sequence[Ending], cache_ttl_seconds: float) -> Statement[Ended]:
    """Fenced: only a job still open at the same fence ends. Returns those that did, and tells endpoints of them."""
    params = {
        "tenant": tenant,
        "ids": [ending.id for ending in endings],
        "fences": [ending.fence for ending in endings],
        "statuses": [ending.status.value for ending in endings],
        "answers": [_jsonb(ending.answer) for ending in endings],
        "routings": [_jsonb(ending.routing) for ending in endings],
        "errors": [_jsonb(ending.error) for ending in endings],
        "keeps": [ending.keep for ending in endings],
        "ttl": cache_ttl_seconds,
        "events": Jsonb([event for ending in endings for event in ending.events(tenant)]),
    }
    return Statement(_SQL["finish"], params, lambda row: Ended(**row))


def _jsonb(model: Answer | RoutingReport | JobError | None) -> Jsonb | None:
    return None if model is None else Jsonb(model.model_dump(mode="json", exclude_none=True))


def get(tenant: UUID, job: UUID) -> Statement[Job]:
    return Statement(_SQL["get"], {"tenant": tenant, "id": job}, _job)


def page(tenant: UUID, *, after: UUID | None, status: JobStatus | None, limit: int) -> Statement[Job]:
    """Newest first, strictly older than `after`. O(limit) along the primary key."""
    params = {"tenant": tenant, "after": after, "status": status and status.value, "limit": limit}
    return Statement(_SQL["page"], params, _job)


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        status=row["status"],
        job_class=row["class"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        request=row["request"],
        metadata=row["metadata"],
        answer=row["answer"],
        routing=row["routing"],
        error=row["error"],
    )


def finished(tenant: UUID, ids: Sequence[UUID]) -> Statement[UUID]:
    """Which of these have reached a final state."""
    return Statement(_SQL["finished"], {"tenant": tenant, "ids": list(ids)}, lambda row: row["id"])
