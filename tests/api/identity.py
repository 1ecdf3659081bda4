"""Users of a Supabase project, and the tenants that they belong to."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
from api.conftest import Connect
from api.project import Project, es256


@dataclass(frozen=True)
class Person:
    id: UUID
    email: str
    client: httpx2.Client  # signed in

    def at(self, tenant: UUID | str) -> dict[str, str]:
        """The header that names a tenant."""
        return {"X-Tenant-Id": str(tenant)}


@dataclass(frozen=True)
class People:
    """Makes users who are signed in at a server."""

    admin: psycopg.Connection[Any]
    connect: Connect
    project: Project
    url: str

    def someone(self, **roles: Any) -> Person:
        """A new user who belongs nowhere, or with `tenant` and `role` to one tenant."""
        user = uuid4()
        email = f"{user.hex}@example.com"
        self.admin.execute("insert into auth.users (id, email) values (%s, %s)", (user, email))
        if roles:
            join(self.admin, roles["tenant"], user, roles.get("role", "member"))
        return Person(user, email, self.connect(self.url, self.token(user, email)))

    def token(self, user: UUID, email: str | None, **changes: Any) -> str:
        """Of a sign-in of its own, unless a session is named."""
        if "session_id" not in changes:
            changes["session_id"] = str(self.sign_in(user))
        return es256(self.project.claims(user, email=email, **changes))

    def sign_in(self, user: UUID) -> UUID:
        session = uuid4()
        self.admin.execute(
            "insert into auth.sessions (id, user_id) select %s, id from auth.users where id = %s", (session, user)
        )
        return session

    def roles(self, tenant: UUID) -> dict[UUID, str]:
        found = self.admin.execute("select user_id, role from public.members where tenant_id = %s", (tenant,))
        return {row[0]: row[1] for row in found.fetchall()}


def new_member(admin: psycopg.Connection[Any], tenant: UUID, role: str = "member") -> UUID:
    user = uuid4()
    admin.execute("insert into auth.users (id, email) values (%s, %s)", (user, f"{user.hex}@example.com"))
    join(admin, tenant, user, role)
    return user


def join(admin: psycopg.Connection[Any], tenant: UUID, user: UUID, role: str) -> None:
    admin.execute("insert into public.members values (%s, %s, %s)", (tenant, user, role))


def audited(admin: psycopg.Connection[Any], tenant: UUID) -> list[tuple[str, str, str]]:
    """Actor, action and subject of what was done to a tenant, oldest first, less what the fixture did."""
    rows = admin.execute(
        "select actor, action, subject from public.audit_log where tenant_id = %s and actor <> 'operator' order by at",
        (tenant,),
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]
