"""Who did what to a tenant. Rows are written by the statements that do it, and by nothing else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aico.store.statement import Statement, named_sql

_SQL = named_sql("audit")


@dataclass(frozen=True, slots=True)
class Entry:
    id: UUID
    at: datetime
    actor: str  # `key:<id>`, `user:<id>`, `operator`, or a part of the service
    action: str  # dotted, past tense: `api_key.created`
    subject: str
    detail: dict[str, Any]


def page(
    tenant: UUID, *, action: str | None = None, actor: str | None = None, after: UUID | None = None, limit: int
) -> Statement[Entry]:
    """Newest first. No row where `after` is no entry of the tenant."""
    params = {"tenant": tenant, "action": action, "actor": actor, "after": after, "limit": limit}
    return Statement(_SQL["page"], params, lambda row: Entry(**row))
