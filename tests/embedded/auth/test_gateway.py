"""Who gets in at all: keys, browsers, origins, limits, and what is kept from other roles of the database."""

import stat
from typing import Any

import httpx2
import psycopg
import pytest
import redis
from conftest import Postgres
from embedded.auth.conftest import PASSWORD, Project, ServeAuth, new_email
from embedded.auth.test_sign_in import assert_refused
from psycopg import sql
from pydantic import SecretStr

from aico.embedded.auth.files import Files
from aico.embedded.auth.limits import Limits
from aico.embedded.auth.services import Config
from aico.embedded.ports import LOOPBACK, free_port

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LOCAL_PAGE = "http://localhost:3000"


@pytest.mark.parametrize("path", ["/settings", "/user", "/token?grant_type=password", "/admin/users", "/no-such-thing"])
def test_nothing_answers_without_a_key_of_this_server(project: Project, path: str) -> None:
    for key in ("", "sb_publishable_another", f"{project.publishable}x", project.secret[:-1], "é"):
        headers = {b"apikey": key.encode("latin-1")}
        reply = httpx2.get(f"{project.url}/auth/v1{path}", headers=headers)
        assert_refused(reply, 401, "no_authorization")
        assert project.publishable not in reply.text


def test_the_secret_key_opens_nothing_in_a_browser(project: Project) -> None:
    with project.http(project.secret, **{"User-Agent": BROWSER}) as browser:
        assert_refused(browser.get("/settings"), 401, "no_authorization")
        assert_refused(browser.get("/admin/users"), 401, "no_authorization")
    with project.http(**{"User-Agent": BROWSER}) as browser:
        assert browser.get("/settings").status_code == 200


def test_a_person_who_knows_the_secret_key_is_still_a_person(project: Project, user: dict[str, Any]) -> None:
    token = project.sign_in(user["email"]).json()["access_token"]
    with project.http(project.secret, Authorization=f"Bearer {token}") as http:
        assert_refused(http.get("/admin/users"), 403, "not_admin")
    with project.http(project.secret) as http:
        assert http.get("/admin/users").status_code == 200
    with project.http(Authorization=f"Bearer {project.secret}") as http:
        assert_refused(http.get("/admin/users"), 403, "not_admin")


def test_a_key_is_nobodys_access_token(project: Project) -> None:
    for key in (project.publishable, project.secret):
        with project.http(key, Authorization=f"Bearer {key}") as http:
            assert_refused(http.get("/user"), 403, "bad_jwt")
    with project.http() as http:
        assert_refused(http.get("/user"), 401, "no_authorization")


def test_secrets_are_in_private_files(project: Project) -> None:
    project.files.database_password.get_secret_value()
    names = {file.name for file in project.files.home.iterdir()}
    assert names == {"publishable.key", "secret.key", "database.password", "refresh.key", "signing.keys"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in project.files.home.iterdir()} == {0o600}
    assert project.publishable.startswith("sb_publishable_")
    assert project.secret.startswith("sb_secret_")


def test_pages_of_the_allowed_origins_alone_may_ask(serve_auth: ServeAuth) -> None:
    preflight = {
        "Origin": LOCAL_PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "apikey,authorization,content-type,x-client-info,x-supabase-api-version",
    }
    with serve_auth(origins=(LOCAL_PAGE,)) as project:
        address = f"{project.url}/auth/v1/token"
        allowed = httpx2.options(address, headers=preflight)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == LOCAL_PAGE
        elsewhere = httpx2.options(address, headers={**preflight, "Origin": "https://elsewhere.example"})
        assert "Access-Control-Allow-Origin" not in elsewhere.headers
        with project.http(Origin=LOCAL_PAGE) as http:
            refused = http.post("/token?grant_type=password", json={"email": new_email(), "password": PASSWORD})
        assert refused.headers["Access-Control-Allow-Origin"] == LOCAL_PAGE  # a page may read why


def test_without_allowed_origins_no_page_may_ask(project: Project) -> None:
    reply = httpx2.get(f"{project.url}/auth/v1/health", headers={"Origin": LOCAL_PAGE})
    assert reply.status_code == 200
    assert "Access-Control-Allow-Origin" not in reply.headers


@pytest.fixture
def forgetful(auth_config: Config) -> SecretStr:
    """The Redis of this test, in which nothing has been counted yet."""
    url = auth_config.redis_url.get_secret_value().rpartition("/")[0] + "/10"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return SecretStr(url)


def test_an_account_can_be_tried_so_often_and_no_more(serve_auth: ServeAuth, forgetful: SecretStr) -> None:
    limits = Limits(sign_in_address=5, sign_in_account=2)
    with serve_auth(limits=limits, redis_url=forgetful) as project:
        email = project.new_user()["email"]
        assert [project.sign_in(email, "wrong" * 3).status_code for _ in range(3)] == [400, 400, 429]
        refused = project.sign_in(email.upper())
        assert_refused(refused, 429, "over_request_rate_limit")
        assert int(refused.headers["Retry-After"]) >= 1
        others = [project.sign_in(new_email(), "wrong" * 3).status_code for _ in range(4)]
        assert others == [400, 400, 400, 429]  # what was refused was not counted


def test_other_doors_have_limits_of_their_own(serve_auth: ServeAuth, forgetful: SecretStr) -> None:
    limits = Limits(sign_up_address=1, refresh_address=2, password_account=1)
    with serve_auth(limits=limits, redis_url=forgetful, signup=True) as project, project.http() as http:
        session = http.post("/signup", json={"email": new_email(), "password": PASSWORD}).raise_for_status().json()
        refused = http.post("/signup", json={"email": new_email(), "password": PASSWORD})
        assert_refused(refused, 429, "over_request_rate_limit")
        assert [project.refresh("x").status_code for _ in range(3)] == [400, 400, 429]
        http.headers["Authorization"] = f"Bearer {session['access_token']}"
        assert http.put("/user", json={"password": f"{PASSWORD}!"}).status_code == 200
        assert_refused(http.put("/user", json={"password": PASSWORD}), 429, "over_request_rate_limit")
        assert http.put("/user", json={"data": {"a": 1}}).status_code == 200


def test_without_redis_people_sign_in_all_the_same(serve_auth: ServeAuth) -> None:
    away = SecretStr(f"redis://{LOOPBACK}:{free_port(0)}/0")
    with serve_auth(redis_url=away, limits=Limits(sign_in_account=1)) as project:
        email = project.new_user()["email"]
        assert [project.sign_in(email).status_code for _ in range(3)] == [200, 200, 200]


def test_nothing_of_a_person_is_in_redis(serve_auth: ServeAuth, forgetful: SecretStr) -> None:
    with serve_auth(redis_url=forgetful) as project:
        email = project.new_user()["email"]
        project.sign_in(email)
    with redis.Redis.from_url(forgetful.get_secret_value(), decode_responses=True) as client:
        keys = list(client.scan_iter("*"))
    assert len(keys) == 2
    assert not any(email in key or LOOPBACK in key for key in keys)


@pytest.mark.parametrize("table", ["users", "sessions", "refresh_tokens"])
@pytest.mark.parametrize("role", ["aico_app", "aico_service", "authenticated", "anon"])
def test_accounts_are_closed_to_every_other_role(postgres: Postgres, table: str, role: str) -> None:
    statements = ("select 1 from auth.{}", "delete from auth.{}", "update auth.{} set created_at = now()")
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


def test_the_server_reaches_nothing_but_accounts(auth_config: Config) -> None:
    with psycopg.connect(auth_config.database_url.get_secret_value(), autocommit=True) as connection:
        mine = connection.execute(
            "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p', 'v') and n.nspname not in ('pg_catalog', 'information_schema')"
            " and has_table_privilege(c.oid, 'select, insert, update, delete')"
        ).fetchall()
        assert {name for (name,) in mine} == {"auth.users", "auth.sessions", "auth.refresh_tokens"}
        for role in ("aico_service", "aico_owner", "service_role", "authenticated"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))


def test_somebody_may_be_known_by_an_id_alone(admin_database: psycopg.Connection[Any]) -> None:
    row = admin_database.execute(
        "insert into auth.users (id) values (gen_random_uuid()) returning email, encrypted_password, is_anonymous"
    ).fetchone()
    assert row == (None, None, False)


def test_without_the_database_clients_are_told_to_try_again(serve_auth: ServeAuth) -> None:
    away = SecretStr(f"postgresql://aico_auth:x@{LOOPBACK}:{free_port(0)}/postgres")
    with serve_auth(database_url=away) as project:
        assert_refused(project.sign_in(new_email()), 503, "unexpected_failure")


def test_a_fault_of_the_server_tells_nothing_of_it(serve_auth: ServeAuth, own_files: Files) -> None:
    with serve_auth(files=own_files) as project:
        user = project.new_user()
        own_files.signing_keys.unlink()
        reply = project.sign_in(user["email"])
    assert_refused(reply, 500, "unexpected_failure")
    assert own_files.signing_keys.name not in reply.text
