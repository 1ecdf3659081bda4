"""`aico users`: people are added, listed and kept out at a real stand-in, and their tenant's log says who did it."""

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import jwt
import psycopg
import pytest
from cli.conftest import Aico, Outcome
from conftest import Postgres
from embedded.auth.conftest import (  # noqa: F401 - fixtures
    OTHER_PASSWORD,
    PASSWORD,
    Project,
    ServeAuth,
    auth_config,
    new_email,
    own_files,
    serve_auth,
)

from aico.core.ids import new_id
from aico.embedded.auth.files import Files
from aico.embedded.ports import LOOPBACK, free_port

Typed = Callable[[str], None]


def said_by(outcome: Outcome) -> str:
    """A terminal's width breaks lines."""
    return " ".join(outcome.err.split())


@pytest.fixture
def project(
    serve_auth: ServeAuth,  # noqa: F811 - the fixture
    own_files: Files,  # noqa: F811 - likewise
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Project]:
    """A server whose address and keys the settings name."""
    with serve_auth(files=own_files) as running:
        monkeypatch.setenv("SUPABASE_URL", running.url)
        monkeypatch.setenv("SUPABASE_SERVICE_KEY", running.secret)
        monkeypatch.setenv("DATABASE_URL", postgres.url)
        monkeypatch.setenv("STATE_DIR", str(own_files.home.parent))
        yield running


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """What comes on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.fixture
def person(project: Project, aico: Aico, typed: Typed) -> str:
    """The email of somebody with PASSWORD."""
    email = new_email()
    typed(f"{PASSWORD}\n")
    assert aico("users", "create", email, "--password-stdin").code == 0
    return email


def test_somebody_who_was_added_signs_in(project: Project, person: str) -> None:
    assert project.sign_in(person).json()["user"]["email"] == person


def test_a_member_is_added_with_a_role_and_the_audit_log_says_so(
    project: Project, aico: Aico, typed: Typed, postgres: Postgres
) -> None:
    typed(PASSWORD)
    team = f"team {new_id()}"
    made = aico("users", "create", new_email(), "--tenant", team, "--role", "owner", "--password-stdin")
    assert made.code == 0, made.err
    user = UUID(made.out.strip())
    with psycopg.connect(postgres.admin_url) as connection:
        rows = connection.execute(
            "select m.role, a.actor, a.action, a.subject, a.detail from public.tenants t"
            " join public.members m on m.tenant_id = t.id join public.audit_log a on a.tenant_id = t.id"
            " where t.name = %s and m.user_id = %s and a.action = 'member.added'",
            (team, user),
        ).fetchall()
    assert rows == [("owner", "operator", "member.added", str(user), {"role": "owner"})]


def test_an_email_is_added_once(person: str, aico: Aico, typed: Typed) -> None:
    typed(PASSWORD)
    again = aico("users", "create", person.upper(), "--password-stdin")
    assert (again.code, again.out) == (1, "")
    assert "already been registered" in said_by(again)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("Ann", "--password-stdin"), "invalid format"),
        (("a@example.com",), "--password-stdin"),
        (("a@example.com", "--role", "owner", "--password-stdin"), "--tenant"),
        (("a@example.com", "--role", "king", "--tenant", "t", "--password-stdin"), "king"),
    ],
)
def test_a_command_that_makes_no_sense_adds_nobody(
    project: Project, aico: Aico, typed: Typed, options: tuple[str, ...], said: str
) -> None:
    typed(PASSWORD)
    outcome = aico("users", "create", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in said_by(outcome)


def test_a_short_password_is_refused(project: Project, aico: Aico, typed: Typed) -> None:
    typed("short\n")
    outcome = aico("users", "create", new_email(), "--password-stdin")
    assert (outcome.code, outcome.out) == (2, "")
    assert "8 to 256 characters" in said_by(outcome)
    assert "short" not in outcome.err


def test_everybody_is_listed_on_pages_of_any_length(
    project: Project, person: str, aico: Aico, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aico.cli.auth_admin._PAGE", 2)
    others = [project.new_user()["email"] for _ in range(3)]
    listed = aico("users", "ls").out
    for email in (person, *others):
        assert listed.count(email) == 1


def test_a_password_that_was_set_opens_and_the_old_one_does_not(
    project: Project, person: str, aico: Aico, typed: Typed
) -> None:
    session = project.sign_in(person).json()
    typed(OTHER_PASSWORD)
    assert aico("users", "set-password", person, "--password-stdin").code == 0
    assert project.sign_in(person).status_code == 400
    assert project.sign_in(person, OTHER_PASSWORD).status_code == 200
    assert project.refresh(session["refresh_token"]).status_code == 400


def test_somebody_who_is_banned_stays_out_until_let_in_again(project: Project, person: str, aico: Aico) -> None:
    assert aico("users", "ban", person).code == 0
    assert project.sign_in(person).json()["error_code"] == "user_banned"
    (line,) = (line for line in aico("users", "ls").out.splitlines() if person in line)
    assert "banned" in line
    assert aico("users", "unban", person.upper()).code == 0
    assert project.sign_in(person).status_code == 200


def test_somebody_who_was_removed_is_gone(project: Project, person: str, aico: Aico) -> None:
    assert aico("users", "remove", person).code == 0
    assert project.sign_in(person).status_code == 400
    assert person not in aico("users", "ls").out


@pytest.mark.parametrize("command", ["ban", "unban", "remove"])
def test_nobody_of_that_email_is_told(project: Project, aico: Aico, command: str) -> None:
    outcome = aico("users", command, "nobody@example.com")
    assert (outcome.code, outcome.out) == (1, "")
    assert "nobody@example.com" in said_by(outcome)


def test_the_next_key_signs_after_a_rotation(project: Project, person: str, aico: Aico) -> None:
    def key_of(session: dict[str, Any]) -> str:
        return str(jwt.get_unverified_header(session["access_token"])["kid"])

    before = key_of(project.sign_in(person).json())
    assert aico("users", "rotate-keys").code == 0
    assert key_of(project.sign_in(person).json()) != before


def test_without_a_server_it_says_what_to_do(aico: Aico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPABASE_URL", raising=False)
    unset = aico("users", "ls")
    assert unset.code == 2
    assert "SUPABASE_SERVICE_KEY" in said_by(unset)
    assert aico("users", "rotate-keys").code == 1
    monkeypatch.setenv("SUPABASE_URL", f"http://{LOOPBACK}:{free_port(0)}")
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", "sb_secret_x")
    away = aico("users", "ls")
    assert away.code == 1
    assert "aico up" in said_by(away)


def test_a_wrong_key_administers_nobody(project: Project, aico: Aico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", project.publishable)
    outcome = aico("users", "ls")
    assert (outcome.code, outcome.out) == (1, "")
    assert "User not allowed" in said_by(outcome)


def test_an_operator_is_told_apart_by_the_next_token(project: Project, person: str, aico: Aico) -> None:
    def marked() -> Any:
        token = project.sign_in(person).json()["access_token"]
        return jwt.decode(token, options={"verify_signature": False})["app_metadata"].get("aico_operator")

    assert marked() is None
    assert said_by(aico("users", "operator", person)) == f"{person} is an operator."
    assert marked() is True
    assert said_by(aico("users", "operator", person, "--revoke")) == f"{person} is no operator."
    assert marked() is False


def test_nobody_makes_himself_an_operator(project: Project, person: str) -> None:
    claim = {"aico_operator": True}
    with project.http(Authorization=f"Bearer {project.sign_in(person).json()['access_token']}") as http:
        changed = http.put("/user", json={"data": claim, "app_metadata": claim}).json()
    assert changed["user_metadata"] == claim
    token = project.sign_in(person).json()["access_token"]
    assert "aico_operator" not in jwt.decode(token, options={"verify_signature": False})["app_metadata"]
