"""The database as its owner sees it, and two tenants that have something in every table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from conftest import Postgres, Tenant
from isolation.actors import Actor, Logins, outsiders, user, with_members
from isolation.filling import Connection, filled_pair
from psycopg import sql
from psycopg.rows import dict_row

from aico.core.access import Role
from aico.store.blocking import Database
from aico.store.migrate import migrate


@pytest.fixture(scope="session")
def admin(postgres: Postgres) -> Iterator[Connection]:
    """The superuser, who may take any role."""
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def logins(postgres: Postgres, admin: Connection) -> Iterator[Logins]:
    with psycopg.connect(postgres.url, row_factory=dict_row, autocommit=True) as application:
        yield Logins(admin, application)


@contextmanager
def scratch(postgres: Postgres, name: str, *, hosted: bool) -> Iterator[str]:
    """The owner's address of a migrated database of its own. A hosted project grants everybody what is made there."""
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    address = f"{postgres.admin_url.rpartition('/')[0]}/{name}"
    try:
        if hosted:
            with psycopg.connect(address, autocommit=True) as connection:
                for kind in ("tables", "functions", "sequences"):
                    connection.execute(
                        "alter default privileges for role aico_owner in schema public"
                        f" grant all on {kind} to anon, authenticated, service_role".encode()
                    )
        migrate(address)
        yield address
    finally:
        with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def hosted_url(postgres: Postgres) -> Iterator[str]:
    with scratch(postgres, "like_a_hosted_one", hosted=True) as address:
        yield address


@pytest.fixture(scope="session")
def as_hosted(hosted_url: str) -> Iterator[Connection]:
    with psycopg.connect(hosted_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection


@dataclass(frozen=True)
class Pair:
    ours: Tenant
    theirs: Tenant
    members: dict[Role, UUID]  # of ours
    their_owner: UUID

    @property
    def outsiders(self) -> list[Actor]:
        return outsiders(self.ours, self.theirs, self.their_owner)

    @property
    def insiders(self) -> list[tuple[Role, Actor]]:
        return [(role, user(f"the tenant's {role}", person)) for role, person in self.members.items()]

    @property
    def service(self) -> Actor:
        return Actor("the service", "aico_service", {}, str(self.ours.id))


@pytest.fixture
def pair(database: Database, make_tenant: Callable[[], Tenant], admin: Connection) -> Pair:
    ours, theirs = filled_pair(database, make_tenant, admin)
    return Pair(ours, theirs, with_members(admin, ours), with_members(admin, theirs)[Role.OWNER])
