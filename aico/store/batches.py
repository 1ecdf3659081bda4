"""Statements about callers' batches as their tenant sees them, and about all tenants' for the sweeper."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.store.jobs import IdempotencyKey
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("batches")


class BatchStatus(StrEnum):
    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in {BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    id: UUID
    api_key_id: UUID | None
    endpoint: str
    window: str
    window_seconds: float
    output_ttl_seconds: int
    input_file: UUID
    metadata: dict[str, str]
    idempotency: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """How it stands. Its counts are as the worker last saw them."""

    id: UUID
    status: BatchStatus
    endpoint: str
    completion_window: str
    created_at: datetime
    deadline: datetime
    input_file_id: UUID
    output_file_id: UUID | None  # of results; to be shown once it has ended
    error_file_id: UUID | None
    errors: list[dict[str, Any]]
    in_progress_at: datetime | None
    cancelling_at: datetime | None
    finalizing_at: datetime | None
    finished_at: datetime | None
    total: int
    completed: int
    failed: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    metadata: dict[str, str] = field(default_factory=dict)


def _batch(row: Row) -> Batch:
    return Batch(**{**row, "status": BatchStatus(row["status"])})


def create(tenant: UUID, batch: NewBatch) -> Statement[UUID]:
    """No row: the tenant has no such input file, or the idempotency key is taken; nothing was stored then."""
    key = batch.idempotency
    params = {
        "tenant": tenant,
        "id": batch.id,
        "api_key": batch.api_key_id,
        "endpoint": batch.endpoint,
        "window": batch.window,
        "seconds": float(batch.window_seconds),
        "output_ttl": batch.output_ttl_seconds,
        "file": batch.input_file,
        "metadata": Jsonb(batch.metadata),
        "key": key and key.key,
        "hash": key and key.request_hash,
        "key_ttl": float(key.ttl_seconds) if key else None,
    }
    return Statement(_SQL["create"], params, _id)


def get(tenant: UUID, batch: UUID) -> Statement[Batch]:
    return Statement(_SQL["get"], {"tenant": tenant, "id": batch}, _batch)


def page(tenant: UUID, *, after: UUID | None, limit: int) -> Statement[Batch]:
    """Newest first, strictly older than `after`. O(limit)."""
    return Statement(_SQL["page"], {"tenant": tenant, "after": after, "limit": limit}, _batch)


def cancel(tenant: UUID, batch: UUID) -> Statement[UUID]:
    """Have its worker end what is open. No row: there is no such batch, or nothing of it can be cancelled any more."""
    return Statement(_SQL["cancel"], {"tenant": tenant, "id": batch}, _id)


@dataclass(frozen=True, slots=True)
class Due:
    tenant: UUID
    batch: UUID


def due(*, limit: int) -> Statement[Due]:
    """Those whose next step waits for a worker, of all tenants; those that one holds are left out."""
    return Statement(_SQL["due"], {"limit": limit}, lambda row: Due(row["tenant_id"], row["batch_id"]))


def purge(*, kept_days: int, limit: int) -> Statement[int]:
    """Delete batches that ended longer ago. Returns how many; `limit`: there may be more."""
    return Statement(_SQL["purge"], {"days": kept_days, "limit": limit}, lambda row: row["purged"])


def _id(row: Row) -> UUID:
    found: UUID = row["id"]
    return found
