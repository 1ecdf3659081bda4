"""Whoever may hold a connection to the database, and how the database comes to know it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from conftest import Tenant
from isolation.filling import Connection
from psycopg import sql

from aico.core.access import Role

NOBODY: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Actor:
    """A role in the database, and what the transaction says of who acts."""

    name: str
    role: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    tenants: str = ""

    @contextmanager
    def acting(self, logins: "Logins") -> Iterator[Connection]:
        """A connection that acts as this actor; all that it does is undone at the end."""
        connection = logins.of(self.role)
        with connection.transaction(force_rollback=True):
            connection.execute(
                "select set_config('aico.tenants', %s, true), set_config('request.jwt.claims', %s, true)",
                (self.tenants, json.dumps(self.claims) if self.claims else ""),
            )
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(self.role)))
            yield connection


@dataclass(frozen=True)
class Logins:
    """The superuser passes every test of isolation, so he stands in for those alone who never log in here."""

    admin: Connection
    application: Connection

    def of(self, role: str) -> Connection:
        return self.admin if role == "anon" else self.application


def user(name: str, identity: UUID, **claims: Any) -> Actor:
    return Actor(name, "authenticated", {"sub": str(identity), "role": "authenticated", **claims})


def with_members(admin: Connection, tenant: Tenant) -> dict[Role, UUID]:
    """A new member of the tenant for each role."""
    people = {role: uuid4() for role in Role}
    for role, person in people.items():
        admin.execute("insert into auth.users (id) values (%s)", (person,))
        admin.execute(
            "insert into members (tenant_id, user_id, role) values (%s, %s, %s)", (tenant.id, person, role.value)
        )
    return people


def outsiders(ours: Tenant, theirs: Tenant, their_owner: UUID) -> list[Actor]:
    """Everybody who has no right to anything of `ours`, among them some who claim one."""
    forged = {
        "tenant_id": str(ours.id),
        "app_metadata": {"tenant_id": str(ours.id), "role": "owner"},
        "user_metadata": {"tenant_id": str(ours.id)},
    }
    return [
        Actor("anonymous", "anon"),
        Actor("anonymous with claims", "anon", {"sub": str(their_owner), "role": "authenticated"}),
        Actor("a user without claims", "authenticated"),
        user("a stranger", uuid4()),
        user("a stranger with forged claims", uuid4(), **forged),
        user("the other tenant's owner", their_owner),
        user("the other tenant's owner with forged claims", their_owner, **forged),
        Actor("a user who names the tenant as the service does", "authenticated", NOBODY, str(ours.id)),
        Actor("the service for another tenant", "aico_service", NOBODY, str(theirs.id)),
        Actor("the service without a tenant", "aico_service"),
        Actor("the service with a user's claims alone", "aico_service", {"sub": str(their_owner)}),
        Actor("the login without a role", "aico_app", NOBODY, str(ours.id)),
    ]
