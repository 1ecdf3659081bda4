"""Members and invitations: who may make whom what, and that a tenant keeps an owner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from api.conftest import Connect, assert_problem
from api.identity import People, Person, audited
from api.project import Project
from conftest import Tenant, new_tenant

from aico.core.access import Permission, Role
from aico.core.keys import INVITATION_PREFIX
from aico.store.blocking import Database

UNKNOWN = "there is no such invitation for you"


@pytest.fixture
def people(admin: psycopg.Connection[Any], connect: Connect, signing: Project, signed_service: str) -> People:
    return People(admin, connect, signing, signed_service)


@pytest.fixture
def owner(people: People, tenant: Tenant) -> Person:
    return people.someone(tenant=tenant.id, role="owner")


def test_members_are_listed_with_their_addresses_oldest_first(
    people: People, tenant: Tenant, owner: Person, make_tenant: Callable[[], Tenant]
) -> None:
    others = [people.someone(tenant=tenant.id, role=role) for role in ("admin", "viewer")]
    people.someone(tenant=make_tenant().id)
    first = owner.client.get("/v1/members", params={"limit": 2}).json()
    second = owner.client.get("/v1/members", params={"limit": 2, "after": first["next"]}).json()
    found = [(one["user_id"], one["email"], one["role"]) for one in first["data"] + second["data"]]
    roles = ("owner", "admin", "viewer")
    assert found == [(str(one.id), one.email, role) for one, role in zip((owner, *others), roles, strict=True)]
    assert not second["has_more"]


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_only_who_administers_members_sees_and_changes_them(people: People, tenant: Tenant, role: str) -> None:
    person, other = people.someone(tenant=tenant.id, role=role), people.someone(tenant=tenant.id)
    for response in (
        person.client.get("/v1/members"),
        person.client.patch(f"/v1/members/{other.id}", json={"role": "viewer"}),
        person.client.patch(f"/v1/members/{person.id}", json={"role": "admin"}),
        person.client.delete(f"/v1/members/{other.id}"),
        person.client.get("/v1/invitations"),
        person.client.post("/v1/invitations", json={"email": "new@example.com"}),
        person.client.get("/v1/audit-log"),
        person.client.patch("/v1/tenant", json={"name": "mine"}),
    ):
        assert_problem(response, 403, "forbidden")
    assert people.roles(tenant.id) == {person.id: role, other.id: "member"}


def test_an_admin_neither_makes_nor_unmakes_owners(people: People, tenant: Tenant, owner: Person) -> None:
    admin, member = (people.someone(tenant=tenant.id, role=role) for role in ("admin", "member"))
    for response in (
        admin.client.patch(f"/v1/members/{member.id}", json={"role": "owner"}),
        admin.client.patch(f"/v1/members/{admin.id}", json={"role": "owner"}),
        admin.client.patch(f"/v1/members/{owner.id}", json={"role": "viewer"}),
        admin.client.delete(f"/v1/members/{owner.id}"),
        admin.client.post("/v1/invitations", json={"email": "new@example.com", "role": "owner"}),
    ):
        assert_problem(response, 403, "forbidden")
    assert admin.client.patch(f"/v1/members/{member.id}", json={"role": "admin"}).status_code == 204
    assert admin.client.delete(f"/v1/members/{member.id}").status_code == 204
    assert people.roles(tenant.id) == {owner.id: "owner", admin.id: "admin"}


def test_a_key_gives_and_takes_no_role_that_may_do_more_than_itself(
    people: People, connect: Connect, signed_service: str, database: Database
) -> None:
    tenant = new_tenant(database, (Permission.MEMBERS_WRITE, Permission.PROMPTS_READ, Permission.USAGE_READ))
    member = people.someone(tenant=tenant.id)
    key = connect(signed_service, tenant.key)
    for response in (
        key.post("/v1/invitations", json={"email": "new@example.com", "role": "admin"}),
        key.post("/v1/invitations", json={"email": "new@example.com", "role": "member"}),
        key.delete(f"/v1/members/{member.id}"),
    ):
        assert_problem(response, 403, "forbidden")
    assert key.post("/v1/invitations", json={"email": "new@example.com", "role": "viewer"}).status_code == 201


def test_the_last_owner_stays_what_he_is(
    people: People, tenant: Tenant, owner: Person, admin: psycopg.Connection[Any]
) -> None:
    path = f"/v1/members/{owner.id}"
    assert_problem(owner.client.delete(path), 409, "conflict")
    assert_problem(owner.client.patch(path, json={"role": "admin"}), 409, "conflict")
    assert owner.client.patch(path, json={"role": "owner"}).status_code == 204  # changes nothing
    assert audited(admin, tenant.id) == []
    other = people.someone(tenant=tenant.id, role="owner")
    assert owner.client.delete(path).status_code == 204
    assert people.roles(tenant.id) == {other.id: "owner"}


@pytest.mark.parametrize("leaving", [True, False])
def test_two_owners_who_go_at_once_leave_one(people: People, tenant: Tenant, *, leaving: bool) -> None:
    for _ in range(5):
        pair = [people.someone(tenant=tenant.id, role="owner") for _ in range(2)]

        def go(person: Person) -> int:
            path = f"/v1/members/{person.id}"
            if leaving:
                return person.client.delete(path).status_code
            return person.client.patch(path, json={"role": "viewer"}).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(go, pair)) == [204, 409]
        (left,) = [user for user, role in people.roles(tenant.id).items() if role == "owner"]
        people.admin.execute("delete from public.members where user_id = %s", (left,))


@pytest.mark.parametrize("role", list(Role))
def test_a_member_may_leave(people: People, tenant: Tenant, owner: Person, role: Role) -> None:
    person = people.someone(tenant=tenant.id, role=role)
    assert person.client.delete(f"/v1/members/{person.id}").status_code == 204
    assert people.roles(tenant.id) == {owner.id: "owner"}
    assert_problem(person.client.get("/v1/jobs", headers=person.at(tenant.id)), 403, "forbidden")


def test_who_is_no_member_cannot_be_changed(
    people: People, tenant: Tenant, owner: Person, make_tenant: Callable[[], Tenant]
) -> None:
    stranger = people.someone(tenant=make_tenant().id)
    for user in (stranger.id, uuid4()):
        assert_problem(owner.client.patch(f"/v1/members/{user}", json={"role": "viewer"}), 404, "not_found")
        assert_problem(owner.client.delete(f"/v1/members/{user}"), 404, "not_found")
    for body in ({}, {"role": "king"}, {"role": None}, {"role": "viewer", "more": 1}):
        assert_problem(owner.client.patch(f"/v1/members/{owner.id}", json=body), 422)


def _invited(person: Person, email: str, role: str = "member") -> dict[str, Any]:
    response = person.client.post("/v1/invitations", json={"email": email, "role": role})
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def _accept(person: Person, token: str) -> int:
    return person.client.post("/v1/invitations/accept", json={"token": token}).status_code


def test_an_invitation_makes_a_member_of_whoever_has_the_address(
    people: People, tenant: Tenant, owner: Person, admin: psycopg.Connection[Any]
) -> None:
    guest = people.someone()
    invited = _invited(owner, guest.email.upper(), "admin")
    assert invited["token"].startswith(INVITATION_PREFIX)
    response = guest.client.post("/v1/invitations/accept", json={"token": invited["token"]})
    assert response.status_code == 200, response.text
    assert (response.json()["id"], response.json()["role"]) == (str(tenant.id), "admin")
    assert people.roles(tenant.id) == {owner.id: "owner", guest.id: "admin"}
    listed = owner.client.get("/v1/invitations")
    assert invited["token"] not in listed.text
    (shown,) = listed.json()["data"]
    assert (shown["state"], shown["accepted_by"]) == ("accepted", str(guest.id))
    assert audited(admin, tenant.id) == [
        (f"user:{owner.id}", "invitation.created", invited["id"]),
        (f"user:{guest.id}", "invitation.accepted", invited["id"]),
    ]
    stored = admin.execute("select * from public.invitations where id = %s", (invited["id"],)).fetchone()
    assert invited["token"] not in str(stored)


def test_wrong_foreign_used_expired_and_revoked_tokens_are_told_the_same(
    people: People, tenant: Tenant, owner: Person
) -> None:
    guest, other = people.someone(), people.someone()
    foreign = _invited(owner, other.email)["token"]
    used, revoked, expired = (_invited(owner, guest.email) for _ in range(3))
    assert _accept(guest, used["token"]) == 200
    assert owner.client.delete(f"/v1/invitations/{revoked['id']}").status_code == 204
    assert_problem(owner.client.delete(f"/v1/invitations/{revoked['id']}"), 404, "not_found")
    people.admin.execute("update public.invitations set expires_at = now() where id = %s", (expired["id"],))
    tokens = (foreign, used["token"], revoked["token"], expired["token"], INVITATION_PREFIX + "x" * 43, "x")
    bodies = {guest.client.post("/v1/invitations/accept", json={"token": token}).content for token in tokens}
    assert len(bodies) == 1
    assert UNKNOWN in bodies.pop().decode()
    states = [one["state"] for one in owner.client.get("/v1/invitations").json()["data"]]
    assert states == ["expired", "revoked", "accepted", "pending"]
    assert _accept(other, foreign) == 200


def test_a_token_works_once_whoever_is_first(people: People, tenant: Tenant, owner: Person) -> None:
    guest = people.someone()
    token = _invited(owner, guest.email)["token"]
    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(lambda _: _accept(guest, token), range(8)))
    assert answers == [200] + [404] * 7
    assert people.roles(tenant.id)[guest.id] == "member"


def test_who_is_a_member_already_keeps_his_role(people: People, tenant: Tenant, owner: Person) -> None:
    viewer = people.someone(tenant=tenant.id, role="viewer")
    assert _accept(viewer, _invited(owner, viewer.email, "admin")["token"]) == 200
    assert people.roles(tenant.id)[viewer.id] == "viewer"


def test_a_user_without_an_address_and_a_key_accept_nothing(
    people: People, owner: Person, connect: Connect, signed_service: str, tenant: Tenant
) -> None:
    guest = people.someone()
    token = _invited(owner, guest.email)["token"]
    nameless = connect(signed_service, people.token(guest.id, None))
    assert_problem(nameless.post("/v1/invitations/accept", json={"token": token}), 404, "not_found")
    key = connect(signed_service, tenant.key)
    assert_problem(key.post("/v1/invitations/accept", json={"token": token}), 401, "unauthorized")
    assert _accept(guest, token) == 200


def test_invitations_of_who_may_not_invite_any_more_are_taken_back(
    people: People, tenant: Tenant, owner: Person
) -> None:
    removed, demoted, kept = (people.someone(tenant=tenant.id, role="admin") for _ in range(3))
    guest = people.someone()
    tokens = [_invited(inviter, guest.email)["token"] for inviter in (removed, demoted, kept)]
    assert owner.client.delete(f"/v1/members/{removed.id}").status_code == 204
    assert owner.client.patch(f"/v1/members/{demoted.id}", json={"role": "member"}).status_code == 204
    assert [_accept(guest, token) for token in tokens] == [404, 404, 200]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "nobody"},
        {"email": "a@b@c"},
        {"email": "a b@example.com"},
        {"email": "a@b\x00"},
        {"email": "a@" + "b" * 320},
        {"email": "a@b", "role": "king"},
        {"email": "a@b", "expires_at": "2030-01-01T00:00:00Z"},
    ],
)
def test_an_invitation_that_makes_no_sense_is_refused(owner: Person, body: dict[str, Any]) -> None:
    assert_problem(owner.client.post("/v1/invitations", json=body), 422, "invalid_input")
    assert owner.client.get("/v1/invitations").json()["data"] == []


def test_other_tenants_invitations_do_not_exist(
    people: People, owner: Person, make_tenant: Callable[[], Tenant]
) -> None:
    neighbour = people.someone(tenant=make_tenant().id, role="owner")
    theirs = _invited(neighbour, "new@example.com")["id"]
    for invitation in (UUID(theirs), uuid4()):
        assert_problem(owner.client.delete(f"/v1/invitations/{invitation}"), 404, "not_found")
    assert owner.client.get("/v1/invitations", params={"after": theirs}).json()["data"] == []
    assert neighbour.client.get("/v1/invitations").json()["data"][0]["state"] == "pending"
