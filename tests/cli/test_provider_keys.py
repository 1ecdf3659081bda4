"""`aico provider-keys`: set, listed, deleted and rewrapped in the real database."""

import base64
import io
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from cli.conftest import Aico, Outcome
from conftest import Postgres, new_tenant
from keys import bring

from aico.core.encryption_keys import parse_keys
from aico.core.envelope import LocalKeys, unseal
from aico.core.ids import new_id
from aico.store import provider_keys
from aico.store.blocking import Database
from aico.store.provider_keys import StaleKey, TenantKey
from aico.store.scope import Scope
from aico.workers import rekey

SECRET = "house.credential/of-a-team-1234"
FIRST, SECOND = (f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in ("first", "second"))


@pytest.fixture
def owner(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """Of an installation without any provider keys: rotation sees all that there are."""
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute("delete from provider_keys")
        yield connection


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, aico: Aico, owner: psycopg.Connection[Any]) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    monkeypatch.setenv("ENCRYPTION_KEYS", FIRST)
    name = f"team {new_id()}"
    assert aico("keys", "create", "any", "--tenant", name).code == 0
    return name


def enter(aico: Aico, monkeypatch: pytest.MonkeyPatch, team: str, secret: str = SECRET) -> Outcome:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
    return aico("provider-keys", "set", "openai", "--tenant", team)


def test_a_key_from_standard_input_is_set_listed_without_it_and_deleted(
    aico: Aico, monkeypatch: pytest.MonkeyPatch, team: str, owner: psycopg.Connection[Any]
) -> None:
    made = enter(aico, monkeypatch, team)
    assert made.code == 0, made.err
    listed = aico("provider-keys", "ls", "--tenant", team)
    assert all(word in listed.out for word in ("openai", "1234", "first", "operator"))
    assert SECRET[:-4] not in made.out + made.err + listed.out + listed.err
    assert aico("provider-keys", "rm", "openai", "--tenant", team).code == 0
    assert aico("provider-keys", "rm", "openai", "--tenant", team).code == 1
    rows = owner.execute(
        "select a.actor, a.action from audit_log a join tenants t on t.id = a.tenant_id where t.name = %s"
        " and a.action like 'provider_key%%' order by a.at",
        (team,),
    ).fetchall()
    assert rows == [("operator", "provider_key.set"), ("operator", "provider_key.deleted")]


def test_on_a_terminal_it_is_asked_for_without_being_shown(
    aico: Aico, monkeypatch: pytest.MonkeyPatch, team: str
) -> None:
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **options: Any) -> str:
        asked.append({"text": text, **options})
        return SECRET

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", prompt)
    assert aico("provider-keys", "set", "openai", "--tenant", team).code == 0
    assert asked == [{"text": "Key for openai", "hide_input": True}]


@pytest.mark.parametrize("secret", ["", "short", "with white space in it"])
def test_what_is_no_key_is_refused_without_being_repeated(
    aico: Aico, monkeypatch: pytest.MonkeyPatch, team: str, secret: str
) -> None:
    refused = enter(aico, monkeypatch, team, secret)
    assert refused.code == 2
    assert not secret or secret not in refused.err


def test_what_cannot_be_done_is_said(aico: Aico, monkeypatch: pytest.MonkeyPatch, team: str) -> None:
    assert aico("provider-keys", "set", "local", "--tenant", team).code == 2
    assert enter(aico, monkeypatch, f"no {team}").code == 1
    monkeypatch.delenv("ENCRYPTION_KEYS")
    for refused in (enter(aico, monkeypatch, team), aico("provider-keys", "rotate")):
        assert refused.code == 2
        assert "set ENCRYPTION_KEYS" in refused.err.replace("\n", " ")
    monkeypatch.setenv("ENCRYPTION_KEYS", "first:c2hvcnQ=")
    refused = enter(aico, monkeypatch, team)
    assert refused.code == 2
    assert "the key has 5 bytes instead of 32" in refused.err.replace("\n", " ")
    assert "c2hvcnQ" not in refused.err


def all_keys(database: Database, owner: psycopg.Connection[Any]) -> list[TenantKey]:
    stale = [StaleKey(*row) for row in owner.execute("select tenant_id, id from provider_keys order by id")]
    return database.run(Scope.each(key.tenant for key in stale), provider_keys.sealed(stale))


def test_rotation_rewraps_every_tenants_keys_and_goes_on_where_it_was_cut_off(
    aico: Aico, monkeypatch: pytest.MonkeyPatch, team: str, database: Database, owner: psycopg.Connection[Any]
) -> None:
    for number in range(5):
        tenant = new_tenant(database).id
        bring(database, tenant, "openai", f"{SECRET}{number}", LocalKeys(parse_keys(FIRST)))
    before = {key.id: key.sealed for key in all_keys(database, owner)}
    both = LocalKeys(parse_keys(f"{SECOND},{FIRST}"))
    pages = rekey.rewrap_all(database, both, "operator", page=2)
    assert next(pages).rewrapped == 2  # and here it is cut off
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{SECOND},{FIRST}")
    rotated = aico("provider-keys", "rotate", "--batch-size", "2")
    assert (rotated.code, rotated.out.strip()) == (0, "3 rewrapped, 0 unreadable")
    assert aico("provider-keys", "rotate").out.strip() == "0 rewrapped, 0 unreadable"
    alone = LocalKeys(parse_keys(SECOND))
    after = all_keys(database, owner)
    assert {unseal(alone, key.sealed, bound_to=key.bound_to).get_secret_value() for key in after} == {
        f"{SECRET}{number}" for number in range(5)
    }
    assert all(key.sealed.ciphertext == before[key.id].ciphertext for key in after)
    audited = owner.execute("select count(*) from audit_log where action = 'provider_key.rewrapped'").fetchone()
    assert audited == (5,)


def test_what_rotation_cannot_read_is_reported_and_kept(
    aico: Aico, monkeypatch: pytest.MonkeyPatch, team: str, database: Database, owner: psycopg.Connection[Any]
) -> None:
    lost, found = (new_tenant(database).id for _ in range(2))
    bring(database, lost, "openai", SECRET, LocalKeys({"lost": b"l" * 32}))
    bring(database, found, "google", SECRET, LocalKeys(parse_keys(FIRST)))
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{SECOND},{FIRST}")
    rotated = aico("provider-keys", "rotate", "--batch-size", "1")
    assert (rotated.code, rotated.out.strip()) == (1, "1 rewrapped, 1 unreadable")
    assert str(lost) in rotated.err
    assert "'lost' is not configured" in rotated.err.replace("\n", " ")
    assert {key.provider: key.sealed.kek_id for key in all_keys(database, owner)} == {
        "openai": "lost",
        "google": "second",
    }
