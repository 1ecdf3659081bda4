"""Statements about who belongs to which tenant, and as what."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aico.core.access import OPERATOR, ROLE_PERMISSIONS, Role, invitable
from aico.core.assignment import Programme
from aico.core.jobs import CacheMode, CachePersonal
from aico.core.plans import Plan
from aico.core.redaction import PiiPolicy
from aico.store.statement import Row, Statement, named_sql
from aico.store.tenants import mode_of

_SQL = named_sql("members")


@dataclass(frozen=True, slots=True)
class Membership:
    tenant: UUID
    role: Role
    cache_mode: CacheMode | None  # of the tenant's policy
    cache_personal: CachePersonal  # likewise
    pii: PiiPolicy  # likewise
    programme: Programme  # likewise
    name: str  # of the tenant
    plan: Plan | None
    personal: bool
    since: datetime


def memberships() -> Statement[Membership]:
    """Of the user that the transaction runs for, oldest first."""
    return Statement(_SQL["memberships"], {}, _membership)


def _membership(row: Row) -> Membership:
    return Membership(
        tenant=row["tenant_id"],
        role=Role(row["role"]),
        cache_mode=mode_of(row),
        cache_personal=CachePersonal(row["cache_personal"]),
        pii=PiiPolicy(row["pii"]),
        programme=Programme.model_validate(row["programme"]),
        name=row["name"],
        plan=None if row["plan"] is None else Plan(row["plan"]),
        personal=row["personal"],
        since=row["created_at"],
    )


@dataclass(frozen=True, slots=True)
class Member:
    user: UUID
    email: str | None
    role: Role
    since: datetime


def page(tenant: UUID, *, after: UUID | None = None, limit: int) -> Statement[Member]:
    """Oldest first. No row where `after` is no member."""
    params = {"tenant": tenant, "after": after, "limit": limit}
    return Statement(
        _SQL["page"],
        params,
        lambda row: Member(row["user_id"], row["email"], Role(row["role"]), row["created_at"]),
    )


def session_lives(session: UUID, user: UUID) -> Statement[bool]:
    return Statement(_SQL["session_lives"], {"session": session, "user": user}, lambda row: bool(row["lives"]))


def add(tenant: UUID, user: UUID, role: Role, by: str = OPERATOR) -> Statement[UUID]:
    """No row: the user is a member already, and stays what he is."""
    return Statement(_SQL["add"], {"tenant": tenant, "user": user, "role": role, "by": by}, lambda row: row["user_id"])


class Verdict(StrEnum):
    DONE = "done"
    ABOVE = "above"  # the member has a role that whoever asks may not grant, nor take away
    LAST_OWNER = "last_owner"  # a tenant keeps one


def change(
    tenant: UUID, user: UUID, role: Role | None, *, grantable: Iterable[Role] = Role, by: str = OPERATOR
) -> Statement[Verdict]:
    """Give a member another role, or with None remove him.

    `tenants.lock` comes before it in its transaction, so that two owners cannot demote each other at once. Invitations
    that the member could not make any more are taken back. No row: the user is no member.
    """
    params = {
        "tenant": tenant,
        "user": user,
        "role": role,
        "grantable": [one.value for one in grantable],
        "may_invite": [] if role is None else [one.value for one in invitable(ROLE_PERMISSIONS[role])],
        "by": by,
    }
    return Statement(_SQL["change"], params, lambda row: Verdict(row["verdict"]))


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    email: str | None


def users_called(who: str) -> Statement[User]:
    """For the operator: users by e-mail address, whatever its case, or by id."""
    return Statement(_SQL["users_called"], {"who": who}, lambda row: User(**row))
