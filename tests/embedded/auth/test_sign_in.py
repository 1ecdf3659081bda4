"""Signing in and staying signed in, and what those are told who may not."""

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import httpx2
import jwt
import psycopg
import pytest
from argon2 import PasswordHasher
from embedded.auth.conftest import OTHER_PASSWORD, PASSWORD, Project, ServeAuth, new_email

from aico.embedded.auth.passwords import Passwords
from aico.embedded.auth.signing import TOKEN_SECONDS


def assert_refused(reply: httpx2.Response, status: int, code: str) -> None:
    body = reply.json()
    assert (reply.status_code, body["code"], body["error_code"]) == (status, status, code), body
    assert body["msg"]


def test_an_access_token_has_the_claims_that_supabase_issues(project: Project) -> None:
    user = project.new_user(user_metadata={"name": "Ann"}, app_metadata={"plan": "pro"})
    before = int(time.time())
    session = project.sign_in(user["email"]).json()
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert claims.pop("session_id")
    assert before <= claims["iat"] <= time.time()
    assert claims.pop("exp") == claims["iat"] + TOKEN_SECONDS == session["expires_at"]
    assert before <= claims["amr"][0]["timestamp"] <= claims.pop("iat")
    assert claims.pop("amr")[0]["method"] == "password"
    assert claims == {
        "iss": f"{project.url}/auth/v1",
        "sub": user["id"],
        "aud": "authenticated",
        "email": user["email"],
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"], "plan": "pro"},
        "user_metadata": {"name": "Ann"},
        "role": "authenticated",
        "aal": "aal1",
        "is_anonymous": False,
    }
    assert (session["token_type"], session["expires_in"]) == ("bearer", TOKEN_SECONDS)


def test_an_email_is_the_same_in_every_case(project: Project, user: dict[str, Any]) -> None:
    assert project.sign_in(f" {user['email'].upper()} ").status_code == 200
    with project.admin() as admin:
        again = admin.post("/admin/users", json={"email": user["email"].title(), "password": PASSWORD})
    assert_refused(again, 422, "email_exists")


@pytest.mark.parametrize("attributes", [{"ban_duration": "24h"}, {"password": None}, {}])
def test_a_wrong_password_is_told_the_same_whoever_is_asked_for(project: Project, attributes: dict[str, Any]) -> None:
    known = project.sign_in(project.new_user(**attributes)["email"], "wrong" * 3)
    unknown = project.sign_in(new_email(), "wrong" * 3)
    assert_refused(known, 400, "invalid_credentials")
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


class CountingHasher(PasswordHasher):
    """Notes the parameters of each hash that a password is held against."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.verified: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's name
        self.verified.append(str(hash).rpartition("$")[0].rpartition("$")[0])
        return super().verify(hash, password)


def test_an_unknown_person_costs_the_work_that_a_known_one_does(serve_auth: ServeAuth) -> None:
    hasher = CountingHasher()
    with serve_auth(hasher=hasher) as project:
        people = [
            new_email(),
            project.new_user()["email"],
            project.new_user(password=None)["email"],
            project.new_user(ban_duration="1h")["email"],
            project.new_user(email_confirm=False)["email"],
        ]
        for email in people:
            project.sign_in(email, "wrong" * 3)
    assert len(hasher.verified) == len(people)
    assert set(hasher.verified) == {"$argon2id$v=19$m=64,t=1,p=1"}


async def _matches(stored: str | None, password: str) -> bool:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    try:
        return await passwords.matches(stored, password)
    finally:
        passwords.close()


@pytest.mark.parametrize("stored", [None, "", "x", "$2b$12$" + "a" * 53])
def test_what_is_no_hash_of_ours_matches_nothing(stored: str | None) -> None:
    assert asyncio.run(_matches(stored, "")) is False


def test_the_right_password_says_why_it_does_not_help(project: Project) -> None:
    banned, unconfirmed = project.new_user(ban_duration="1h"), project.new_user(email_confirm=False)
    assert_refused(project.sign_in(banned["email"]), 400, "user_banned")
    assert_refused(project.sign_in(unconfirmed["email"]), 400, "email_not_confirmed")


def test_a_ban_ends_what_was_begun_and_can_be_lifted(project: Project, user: dict[str, Any]) -> None:
    session = project.sign_in(user["email"]).json()
    with project.admin() as admin, project.http(Authorization=f"Bearer {session['access_token']}") as http:
        admin.put(f"/admin/users/{user['id']}", json={"ban_duration": "1h30m"}).raise_for_status()
        assert_refused(http.get("/user"), 403, "user_banned")
        assert_refused(project.refresh(session["refresh_token"]), 400, "user_banned")
        admin.put(f"/admin/users/{user['id']}", json={"ban_duration": "none"}).raise_for_status()
        assert http.get("/user").status_code == 200
        assert project.refresh(session["refresh_token"]).status_code == 200


def test_two_who_exchange_a_token_at_once_go_on_with_the_same(project: Project, user: dict[str, Any]) -> None:
    first = project.sign_in(user["email"]).json()["refresh_token"]
    second = project.refresh(first).json()["refresh_token"]
    assert second != first
    assert project.refresh(first).json()["refresh_token"] == second
    third = project.refresh(second).json()["refresh_token"]
    assert len({first, second, third}) == 3


def test_a_session_stays_one_chain_whoever_hurries(
    project: Project, user: dict[str, Any], admin_database: psycopg.Connection[Any]
) -> None:
    first = project.sign_in(user["email"]).json()["refresh_token"]
    with ThreadPoolExecutor(8) as hurrying:
        replies = list(hurrying.map(project.refresh, [first] * 8))
    assert [reply.status_code for reply in replies] == [200] * 8
    assert len({reply.json()["refresh_token"] for reply in replies}) == 1
    kept = admin_database.execute(
        "select count(*), count(t.used_at) from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id"
        " where s.user_id = %s",
        (user["id"],),
    ).fetchone()
    assert kept == (2, 1)


def test_a_token_that_comes_again_later_ends_its_session_and_no_other(
    serve_auth: ServeAuth, user: dict[str, Any]
) -> None:
    with serve_auth(reuse_grace_seconds=0) as project:
        stolen, other = project.sign_in(user["email"]).json(), project.sign_in(user["email"]).json()
        thief = project.refresh(stolen["refresh_token"]).json()
        assert_refused(project.refresh(stolen["refresh_token"]), 400, "refresh_token_already_used")
        assert_refused(project.refresh(thief["refresh_token"]), 400, "refresh_token_not_found")
        assert_refused(project.refresh(stolen["refresh_token"]), 400, "refresh_token_not_found")
        with project.http(Authorization=f"Bearer {thief['access_token']}") as http:
            assert_refused(http.get("/user"), 403, "session_not_found")
        assert project.refresh(other["refresh_token"]).status_code == 200


def test_neither_passwords_nor_tokens_are_stored(
    project: Project, user: dict[str, Any], admin_database: psycopg.Connection[Any]
) -> None:
    token = project.sign_in(user["email"]).json()["refresh_token"]
    rows = admin_database.execute(
        "select u.encrypted_password, t.token_hash from auth.users u join auth.sessions s on s.user_id = u.id"
        " join auth.refresh_tokens t on t.session_id = s.id where u.id = %s",
        (user["id"],),
    ).fetchall()
    assert len(rows) == 1
    assert rows[0][0].startswith("$argon2id$")
    assert rows[0][1] == hashlib.sha256(token.encode()).digest()


def test_a_new_password_ends_the_other_sessions(project: Project, user: dict[str, Any]) -> None:
    mine, other = (project.sign_in(user["email"]).json() for _ in range(2))
    with project.http(Authorization=f"Bearer {mine['access_token']}") as http:
        assert_refused(http.put("/user", json={"password": PASSWORD}), 422, "same_password")
        wrong = http.put("/user", json={"password": OTHER_PASSWORD, "current_password": "wrong"})
        assert_refused(wrong, 400, "invalid_credentials")
        assert http.put("/user", json={"password": OTHER_PASSWORD}).status_code == 200
        assert http.get("/user").status_code == 200
    assert_refused(project.refresh(other["refresh_token"]), 400, "refresh_token_not_found")
    assert project.refresh(mine["refresh_token"]).status_code == 200
    assert_refused(project.sign_in(user["email"]), 400, "invalid_credentials")
    assert project.sign_in(user["email"], OTHER_PASSWORD).status_code == 200


def test_an_email_that_somebody_has_cannot_be_taken(project: Project, user: dict[str, Any]) -> None:
    other = project.new_user()
    token = project.sign_in(user["email"]).json()["access_token"]
    with project.http(Authorization=f"Bearer {token}") as http:
        assert_refused(http.put("/user", json={"email": other["email"].upper()}), 422, "email_exists")
        assert http.get("/user").json()["email"] == user["email"]


def test_metadata_is_merged_and_null_takes_a_key_away(project: Project) -> None:
    user = project.new_user(user_metadata={"name": "Ann", "colour": "red"})
    token = project.sign_in(user["email"]).json()["access_token"]
    with project.http(Authorization=f"Bearer {token}") as http:
        changed = http.put("/user", json={"data": {"colour": None, "size": 3}}).json()
        assert changed["user_metadata"] == {"name": "Ann", "size": 3}
        assert changed["app_metadata"] == user["app_metadata"]
        for _ in range(2):
            grown = http.put("/user", json={"data": {"much": "x" * 16_000}})
        assert grown.status_code == 200
        assert_refused(http.put("/user", json={"data": {"more": "x" * 16_000}}), 422, "validation_failed")


@pytest.mark.parametrize(("scope", "left"), [("global", []), ("local", [1]), ("others", [0])])
def test_signing_out_ends_the_sessions_that_were_meant(
    project: Project, user: dict[str, Any], scope: str, left: list[int]
) -> None:
    sessions = [project.sign_in(user["email"]).json() for _ in range(2)]
    with project.http(Authorization=f"Bearer {sessions[0]['access_token']}") as http:
        assert http.post(f"/logout?scope={scope}").status_code == 204
    going_on = [project.refresh(session["refresh_token"]).status_code == 200 for session in sessions]
    assert [number for number, goes_on in enumerate(going_on) if goes_on] == left


def test_errors_have_the_shape_of_the_version_that_was_asked_for(project: Project) -> None:
    body = {"email": new_email(), "password": "wrong" * 3}
    for version in ("", "2023-12-31", "yesterday", "2024-13-01"):
        with project.http(**{"X-Supabase-Api-Version": version}) as http:
            reply = http.post("/token?grant_type=password", json=body)
        assert_refused(reply, 400, "invalid_credentials")
        assert "X-Supabase-Api-Version" not in reply.headers
    with project.http(**{"X-Supabase-Api-Version": "2024-01-01"}) as http:
        reply = http.post("/token?grant_type=password", json=body)
    assert reply.json() == {"code": "invalid_credentials", "message": "Invalid login credentials"}
    assert reply.headers["X-Supabase-Api-Version"] == "2024-01-01"
