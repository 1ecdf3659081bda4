"""Whatever is sent, the answer is a refusal that clients can read, and never the server's fault."""

import json
from typing import Any
from uuid import UUID

import httpx2
import pytest
from embedded.auth.conftest import PASSWORD, Project, new_email

BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "NaN": b'{"email": NaN, "data": NaN, "user_metadata": NaN}',
    "deep": b'{"data": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "half a surrogate pair": b'{"email": "\\ud800@example.com", "password": "\\ud800", "refresh_token": "\\ud800"}',
    "wrong kinds": json.dumps(
        {"email": 1, "password": [], "refresh_token": {}, "data": "x", "ban_duration": 3, "id": 1}
    ).encode(),
    "a NUL": json.dumps({"email": "a\0@example.com", "refresh_token": "a\0", "password": "\0" * 9}).encode(),
    "no address": json.dumps({"email": "Ann", "password": PASSWORD}).encode(),
    "a long address": json.dumps({"email": f"{'a' * 250}@example.com", "password": PASSWORD}).encode(),
    "SQL": json.dumps(
        {"email": "'; drop table auth.users; --", "password": PASSWORD, "refresh_token": "' or true --"}
    ).encode(),
}
DOORS = [
    ("POST", "/signup"),
    ("POST", "/token?grant_type=password"),
    ("POST", "/token?grant_type=refresh_token"),
    ("POST", "/admin/users"),
]


def assert_refusal(reply: httpx2.Response) -> str:
    body = reply.json()
    assert 400 <= reply.status_code < 500, (reply.status_code, body)
    assert body["code"] == reply.status_code
    assert body["msg"]
    return str(body["error_code"])


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize(("method", "path"), DOORS)
def test_a_body_that_makes_no_sense_is_refused(open_project: Project, method: str, path: str, body: bytes) -> None:
    with open_project.admin() as http:
        assert_refusal(http.request(method, path, content=body))


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_a_body_that_is_too_large_is_refused(open_project: Project, method: str, path: str) -> None:
    with open_project.admin() as http:
        for content in (b"x" * 70_000, iter([b"x" * 40_000] * 2)):
            assert http.request(method, path, content=content).status_code == 413


@pytest.mark.parametrize(
    "query", ["", "grant_type=", "grant_type=pkce", "grant_type=id_token", "grant_type=password%00", "grant_type[]=x"]
)
def test_other_grants_are_refused(project: Project, query: str) -> None:
    with project.http() as http:
        assert assert_refusal(http.post(f"/token?{query}", json={})) == "validation_failed"


@pytest.mark.parametrize(
    "attributes",
    [
        {"role": "service_role"},
        {"phone": "+4100000000"},
        {"password_hash": "$2b$12$x"},
        {"password": "short"},
        {"password": "x" * 257},
        {"email": "Ann"},
        {"id": "1"},
        {"ban_duration": "for ever"},
        {"ban_duration": "9999999999h"},
        {"ban_duration": "999999999h"},
        {"ban_duration": ""},
        {"user_metadata": []},
        {"user_metadata": {"x": "y" * 17_000}},
        {"app_metadata": "x"},
        {"user_metadata": {"x": 1e400}},
    ],
)
def test_what_cannot_be_said_of_a_person_changes_nothing(project: Project, attributes: dict[str, Any]) -> None:
    user = project.new_user()
    with project.admin() as admin:
        content = json.dumps(attributes)
        assert_refusal(admin.put(f"/admin/users/{user['id']}", content=content))
        assert admin.get(f"/admin/users/{user['id']}").json() == user
        email = new_email()
        assert_refusal(admin.post("/admin/users", content=json.dumps({"email": email, **attributes})))
        everybody = admin.get("/admin/users?per_page=1000").json()["users"]
        assert email not in {one["email"] for one in everybody}


def test_odd_metadata_is_kept_as_it_can_be(project: Project) -> None:
    odd = {"": 1, "a\0b": "c\0d", "big": 10**60, "é": "😀", "deep": [[[[{}]]]]}
    user = project.new_user(user_metadata=odd)
    kept = {"": 1, "a\ufffdb": "c\ufffdd", "big": 10**60, "é": "😀", "deep": [[[[{}]]]]}
    assert user["user_metadata"] == kept
    token = project.sign_in(user["email"]).json()["access_token"]
    with project.http(Authorization=f"Bearer {token}") as http:
        assert http.get("/user").json()["user_metadata"] == kept


@pytest.mark.parametrize(
    "path", ["/admin/users/1", "/admin/users/%00", "/admin/users/..", f"/admin/users/{UUID(int=1)}"]
)
def test_an_id_of_nobody_is_refused(project: Project, path: str) -> None:
    with project.admin() as admin:
        for method in ("GET", "PUT", "DELETE"):
            assert_refusal(admin.request(method, path, json={}))


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "per_page=1001", "per_page=²", f"page={'9' * 5000}"])
def test_pages_that_cannot_be_are_refused(project: Project, query: str) -> None:
    with project.admin() as admin:
        assert assert_refusal(admin.get(f"/admin/users?{query}")) == "validation_failed"


def test_a_soft_deletion_is_refused(project: Project, user: dict[str, Any]) -> None:
    with project.admin() as admin:
        reply = admin.request("DELETE", f"/admin/users/{user['id']}", json={"should_soft_delete": True})
        assert assert_refusal(reply) == "validation_failed"
        assert admin.get(f"/admin/users/{user['id']}").status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer é", "Bearer " + "x" * 5000, "Bearer ..", b"\xff"],
)
def test_what_is_no_access_token_shows_nobody(project: Project, header: str | bytes) -> None:
    sent = header.encode("latin-1") if isinstance(header, str) else header
    with project.http() as http:
        for method, path in (("GET", "/user"), ("PUT", "/user"), ("POST", "/logout")):
            reply = http.request(method, path, headers={b"Authorization": sent})
            assert assert_refusal(reply) in {"no_authorization", "bad_jwt"}


def test_a_sign_out_of_no_known_scope_ends_nothing(project: Project, user: dict[str, Any]) -> None:
    session = project.sign_in(user["email"]).json()
    with project.http(Authorization=f"Bearer {session['access_token']}") as http:
        assert assert_refusal(http.post("/logout?scope=all")) == "validation_failed"
    assert project.refresh(session["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/otp", 404), ("POST", "/recover", 404), ("DELETE", "/user", 405), ("GET", "/signup", 405)],
)
def test_what_this_server_does_not_do_is_said(project: Project, method: str, path: str, status: int) -> None:
    with project.http() as http:
        reply = http.request(method, path)
    assert_refusal(reply)
    assert reply.status_code == status
