"""Statements about invitations: a token, known by its SHA-256, makes whoever has its address a member, once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aico.core.access import Role
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("invitations")

MAX_PENDING = 200  # of a tenant
VALID_SECONDS = 7 * 24 * 3600


class InvitationState(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Invitation:
    id: UUID
    email: str
    role: Role
    created_by: str  # as the audit log names it
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: UUID | None
    revoked_at: datetime | None
    state: InvitationState


def create(tenant: UUID, invitation: UUID, email: str, role: Role, token_hash: bytes, by: str) -> Statement[Invitation]:
    """`tenants.lock` comes before it in its transaction. No row: MAX_PENDING wait to be accepted."""
    params = {
        "tenant": tenant,
        "id": invitation,
        "email": email,
        "role": role,
        "hash": token_hash,
        "by": by,
        "valid": float(VALID_SECONDS),
        "most": MAX_PENDING,
    }
    return Statement(_SQL["create"], params, _invitation)


def page(tenant: UUID, *, after: UUID | None = None, limit: int) -> Statement[Invitation]:
    """Newest first."""
    return Statement(_SQL["page"], {"tenant": tenant, "after": after, "limit": limit}, _invitation)


def _invitation(row: Row) -> Invitation:
    return Invitation(**{**row, "role": Role(row["role"]), "state": InvitationState(row["state"])})


def revoke(tenant: UUID, invitation: UUID, by: str) -> Statement[UUID]:
    """No row: there is no such invitation, or it was accepted or taken back before."""
    return Statement(_SQL["revoke"], {"tenant": tenant, "id": invitation, "by": by}, lambda row: row["id"])


def accept(token_hash: bytes, user: UUID, email: str) -> Statement[UUID]:
    """The tenant that the user, whose token was verified, has joined. No row: the token does nothing for him."""
    return Statement(_SQL["accept"], {"hash": token_hash, "user": user, "email": email}, lambda row: row["tenant_id"])
