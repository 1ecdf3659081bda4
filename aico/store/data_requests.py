"""Statements about exports and erasures: asked for by a tenant, worked on step by step under a lease and a fence."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("data_requests")


class RequestKind(StrEnum):
    EXPORT = "export"
    ERASURE = "erasure"


class RequestStatus(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DataRequest:
    id: UUID
    kind: RequestKind
    status: RequestStatus
    scope: dict[str, Any]  # of an erasure
    requested_by: str  # as the audit log names them
    counts: dict[str, int]  # rows by table
    file_id: UUID | None  # of an export; to be shown once it has completed
    sha256: str | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def _request(row: Row) -> DataRequest:
    return DataRequest(**{**row, "kind": RequestKind(row["kind"]), "status": RequestStatus(row["status"])})


def create(
    tenant: UUID, request: UUID, kind: RequestKind, actor: str, scope: dict[str, Any] | None = None
) -> Statement[DataRequest]:
    """No row: one of this kind has not ended yet."""
    params = {"tenant": tenant, "id": request, "kind": kind.value, "actor": actor, "scope": Jsonb(scope or {})}
    return Statement(_SQL["create"], params, _request)


def tenant_name(tenant: UUID) -> Statement[str]:
    """What whoever has everything erased has to repeat."""
    return Statement(_SQL["tenant_name"], {"tenant": tenant}, lambda row: row["name"])


def get(tenant: UUID, kind: RequestKind, request: UUID) -> Statement[DataRequest]:
    return Statement(_SQL["get"], {"tenant": tenant, "kind": kind.value, "id": request}, _request)


def page(tenant: UUID, kind: RequestKind, *, after: UUID | None, limit: int) -> Statement[DataRequest]:
    """Newest first, strictly older than `after`. O(limit), and the requests of the other kind."""
    params = {"tenant": tenant, "kind": kind.value, "after": after, "limit": limit}
    return Statement(_SQL["page"], params, _request)


@dataclass(frozen=True, slots=True)
class Due:
    tenant: UUID
    request: UUID


def due(*, limit: int) -> Statement[Due]:
    """Those of all tenants whose next step waits for a worker."""
    return Statement(_SQL["due"], {"limit": limit}, lambda row: Due(row["tenant_id"], row["request_id"]))


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """The right to work on a request until the lease runs out; `fence` proves it."""

    tenant: UUID
    id: UUID
    kind: RequestKind
    scope: dict[str, Any]
    fence: int
    step: int  # of an erasure: all before it are done
    after: str  # where within the step
    attempts: int  # claims, this one included
    file_id: UUID | None
    created_at: datetime
    started_at: datetime


def claim(tenant: UUID, request: UUID, lease_seconds: float) -> Statement[HeldRequest]:
    """No row: it has ended, its next step is not due, or somebody else is at it."""

    def parse(row: Row) -> HeldRequest:
        return HeldRequest(tenant=tenant, **{**row, "kind": RequestKind(row["kind"])})

    return Statement(_SQL["claim"], {"tenant": tenant, "id": request, "lease": lease_seconds}, parse)


def renew(held: HeldRequest, lease_seconds: float) -> Statement[UUID]:
    return Statement(_SQL["renew"], {**fenced(held), "lease": lease_seconds}, lambda row: row["id"])


def postpone(held: HeldRequest, pause_seconds: float) -> Statement[None]:
    """Let go until then."""
    return Statement(_SQL["postpone"], {**fenced(held), "pause": pause_seconds}, no_row)


def fail(held: HeldRequest, error: str) -> Statement[None]:
    return Statement(_SQL["fail"], {**fenced(held), "error": error}, no_row)


def fenced(held: HeldRequest) -> dict[str, Any]:
    """What every statement of the holder names."""
    return {"tenant": held.tenant, "id": held.id, "fence": held.fence}
