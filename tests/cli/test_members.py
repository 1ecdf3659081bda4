"""`aico members`, `aico tenants` and `aico keys` as the operator uses them: in the real database, on the record."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from cli.conftest import Aico
from conftest import Postgres, Tenant

from aico.core.keys import hash_key
from aico.store import api_keys, tenants
from aico.store.blocking import Database
from aico.store.scope import Scope

NewUser = Callable[[], tuple[UUID, str]]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, redis_url: str, tenant: Tenant) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return f"tenant {tenant.id}"


@pytest.fixture
def new_user(postgres: Postgres) -> NewUser:
    def make() -> tuple[UUID, str]:
        user = uuid4()
        email = f"{user.hex}@example.com"
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            admin.execute("insert into auth.users (id, email) values (%s, %s)", (user, email))
        return user, email

    return make


def noted(postgres: Postgres, tenant: UUID) -> list[tuple[Any, ...]]:
    """What the command line did, less what made the tenant."""
    with psycopg.connect(postgres.admin_url) as admin:
        query = "select actor, action, subject from public.audit_log where tenant_id = %s order by at"
        return admin.execute(query, (tenant,)).fetchall()[2:]


def test_a_member_is_added_changed_listed_and_removed_by_address_or_id(
    aico: Aico, name: str, new_user: NewUser, tenant: Tenant, postgres: Postgres
) -> None:
    (owner, owners_email), (guest, guests_email) = new_user(), new_user()
    assert aico("members", "add", name, owners_email.upper(), "--role", "owner").code == 0
    assert aico("members", "add", name, str(guest)).code == 0
    assert aico("members", "add", name, guests_email).code == 1
    assert aico("members", "role", name, guests_email, "admin").code == 0
    listed = aico("members", "ls", name).out
    rows = {line.split("│")[2].strip(): line.split("│")[3].strip() for line in listed.splitlines() if "@" in line}
    assert rows == {owners_email: "owner", guests_email: "admin"}
    for arguments in (("role", name, owners_email, "viewer"), ("remove", name, str(owner))):
        refused = aico("members", *arguments)
        assert (refused.code, "last owner" in refused.err) == (1, True)
    assert aico("members", "remove", str(tenant.id), guests_email).code == 0  # a tenant by its id
    assert aico("members", "remove", name, guests_email).code == 1
    assert noted(postgres, tenant.id) == [
        ("operator", "member.added", str(owner)),
        ("operator", "member.added", str(guest)),
        ("operator", "member.role_changed", str(guest)),
        ("operator", "member.removed", str(guest)),
    ]


def test_who_does_not_exist_is_said(aico: Aico, name: str, new_user: NewUser) -> None:
    for arguments in ((name, "nobody@example.com"), (name, str(uuid4())), ("no such tenant", new_user()[1])):
        outcome = aico("members", "add", *arguments)
        assert outcome.code == 1
        assert "there is no" in outcome.err


def test_a_tenant_is_made_listed_and_put_on_a_plan(
    aico: Aico, name: str, database: Database, postgres: Postgres
) -> None:
    new = f"team {uuid4()}"
    tenant = UUID(aico("tenants", "create", new, "--plan", "pro").out.strip())
    assert aico("tenants", "create", new).code == 2
    assert aico("tenants", "create", "").code == 2
    assert database.run(Scope.tenant(tenant), tenants.get(tenant))[0].plan == "pro"
    assert aico("tenants", "plan", new, "none").code == 0
    assert database.run(Scope.tenant(tenant), tenants.get(tenant))[0].plan is None
    assert aico("tenants", "plan", new, "gold").code == 2
    assert aico("tenants", "plan", "no such tenant", "pro").code == 1
    listed = aico("tenants", "ls", "--after", str(UUID(int=tenant.int - 1))).out
    assert str(tenant) in listed
    with psycopg.connect(postgres.admin_url) as admin:
        query = "select action from public.audit_log where tenant_id = %s order by at, action"
        assert admin.execute(query, (tenant,)).fetchall() == [
            ("tenant.created",),
            ("tenant.plan_set",),
            ("tenant.plan_set",),
        ]


def test_a_key_is_limited_rotated_and_listed(aico: Aico, name: str, tenant: Tenant, database: Database) -> None:
    made = aico(
        "keys", "create", "bot", "--tenant", name, "--scope", "prompts:read", "--scope", "usage:read",
        "--expires", "90d", "--model", "gpt-5.4",
    ).out.strip()  # fmt: skip
    (holder,) = database.run(Scope.system(), api_keys.authenticate(hash_key(made)))
    assert (sorted(holder.scopes), holder.models) == (["prompts:read", "usage:read"], frozenset({"gpt-5.4"}))
    assert holder.valid_seconds is not None
    rotated = aico("keys", "rotate", made[:16], "--tenant", name, "--overlap", "60").out.strip()
    (same,) = database.run(Scope.system(), api_keys.authenticate(hash_key(rotated)))
    assert same.key == holder.key
    (old,) = database.run(Scope.system(), api_keys.authenticate(hash_key(made)))
    assert old.valid_seconds is not None
    assert old.valid_seconds <= 60
    listed = aico("keys", "ls", "--tenant", name).out
    assert rotated[:16] in listed
    assert rotated not in listed
    assert aico("keys", "rotate", made[:16], "--tenant", name).code == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--scope", "everything"),
        ("--expires", "2020-01-01T00:00:00Z"),
        ("--expires", "soon"),
        ("--model", "gpt-17"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    aico: Aico, name: str, tenant: Tenant, database: Database, options: tuple[str, ...]
) -> None:
    outcome = aico("keys", "create", "bot", "--tenant", name, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert len(database.run(Scope.tenant(tenant.id), api_keys.page(tenant.id, limit=10))) == 1


def test_a_revocation_is_kept_where_nobody_can_be_told(
    aico: Aico, name: str, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    outcome = aico("keys", "revoke", tenant.key[:16], "--tenant", name)
    assert outcome.code == 0
    assert "could not be told" in outcome.err
    assert database.run(Scope.system(), api_keys.authenticate(hash_key(tenant.key))) == []
