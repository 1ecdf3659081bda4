"""A token outlives the sign-in that it came from; what administers a tenant is closed at once all the same."""

from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem
from api.identity import People, Person
from api.project import Project
from conftest import Tenant

_NAMES = ("api-keys", "members", "invitations", "audit-log", "billing", "exports", "me")
ADMINISTRATION = tuple(f"/v1/{name}" for name in _NAMES)


@pytest.fixture
def people(admin: psycopg.Connection[Any], connect: Connect, signing: Project, signed_service: str) -> People:
    return People(admin, connect, signing, signed_service)


@pytest.fixture
def person(people: People, tenant: Tenant) -> Person:
    """An owner."""
    return people.someone(tenant=tenant.id, role="owner")


@pytest.fixture
def session(people: People, person: Person) -> UUID:
    return people.sign_in(person.id)


@pytest.fixture
def owner(people: People, person: Person, session: UUID) -> httpx2.Client:
    return people.connect(people.url, people.token(person.id, person.email, session_id=str(session)))


def test_who_has_signed_out_administers_nothing_more_with_the_token_that_is_left(
    owner: httpx2.Client, session: UUID, admin: psycopg.Connection[Any]
) -> None:
    assert [owner.get(path).status_code for path in ADMINISTRATION] == [200] * len(ADMINISTRATION)
    admin.execute("delete from auth.sessions where id = %s", (session,))
    for path in ADMINISTRATION:
        assert_problem(owner.get(path), 401, "unauthorized")
    assert owner.get("/v1/jobs").status_code == 200  # until the token expires


def test_a_session_is_its_own_users(owner: httpx2.Client, people: People, tenant: Tenant, session: UUID) -> None:
    assert owner.get("/v1/members").status_code == 200
    thief = people.someone(tenant=tenant.id, role="owner")
    forged = people.connect(people.url, people.token(thief.id, thief.email, session_id=str(session)))
    assert_problem(forged.get("/v1/members"), 401, "unauthorized")
