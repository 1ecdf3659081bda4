"""Statements about files, which are kept in chunks so that nobody ever holds a whole one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("files")
CHUNK_BYTES = 1024 * 1024
WRITING_SECONDS = 3600.0  # a file that is not complete by then was left behind by a crash


class Purpose(StrEnum):
    BATCH = "batch"
    BATCH_OUTPUT = "batch_output"
    EXPORT = "export"  # all that is the tenant's


@dataclass(frozen=True, slots=True)
class File:
    """A complete one."""

    id: UUID
    filename: str
    purpose: Purpose
    bytes: int
    created_at: datetime
    expires_at: datetime


def _file(row: Row) -> File:
    return File(**{**row, "purpose": Purpose(row["purpose"])})


def begin(tenant: UUID, file: UUID, filename: str, purpose: Purpose) -> Statement[None]:
    """A file that nobody sees before it is complete."""
    params = {"tenant": tenant, "id": file, "filename": filename, "purpose": purpose.value, "patience": WRITING_SECONDS}
    return Statement(_SQL["begin"], params, no_row)


def append(tenant: UUID, file: UUID, position: int, data: bytes) -> Statement[int]:
    """No row: the file is gone, or complete."""
    params = {"tenant": tenant, "id": file, "position": position, "data": data}
    return Statement(_SQL["append"], params, lambda row: row["position"])


def complete(tenant: UUID, file: UUID, size: int, ttl_seconds: int) -> Statement[File]:
    """No row: the file is gone, or complete already."""
    return Statement(_SQL["complete"], {"tenant": tenant, "id": file, "bytes": size, "ttl": ttl_seconds}, _file)


def discard(tenant: UUID, file: UUID) -> Statement[None]:
    """Forget a file that will not be completed."""
    return Statement(_SQL["discard"], {"tenant": tenant, "id": file}, no_row)


def get(tenant: UUID, file: UUID) -> Statement[File]:
    return Statement(_SQL["get"], {"tenant": tenant, "id": file}, _file)


def page(
    tenant: UUID, *, purpose: Purpose | None, after: UUID | None, order: Literal["asc", "desc"], limit: int
) -> Statement[File]:
    """By creation, strictly beyond `after`. O(limit), and the rows that `purpose` skips."""
    params = {"tenant": tenant, "purpose": purpose and purpose.value, "after": after, "limit": limit}
    return Statement(_SQL[f"page_{order}"], params, _file)


def delete(tenant: UUID, file: UUID) -> Statement[UUID]:
    """No row: there is no such file, or a batch that has not ended needs it."""
    return Statement(_SQL["delete"], {"tenant": tenant, "id": file}, lambda row: row["id"])


def chunk(tenant: UUID, file: UUID, offset: int) -> Statement[bytes]:
    """Some bytes from `offset` on, at most a chunk; empty, or no row, at the end. One index probe."""

    def parse(row: Row) -> bytes:
        return bytes(row["data"])[offset - row["position"] :]

    return Statement(_SQL["chunk"], {"tenant": tenant, "id": file, "offset": offset}, parse)


def purge(*, limit: int) -> Statement[int]:
    """Delete files that have expired or were left half written. Returns how many; `limit`: there may be more."""
    return Statement(_SQL["purge"], {"limit": limit}, lambda row: row["purged"])
