"""`aico keys`: made, listed and revoked in the real database."""

import pytest
from cli.conftest import Aico
from conftest import Postgres

from aico.core.ids import new_id
from aico.core.keys import KEY_PREFIX, hash_key
from aico.store import api_keys, tenants
from aico.store.blocking import Database
from aico.store.scope import Scope


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> str:
    """A tenant's name that nobody has used."""
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    return f"team {new_id()}"


def _opens(database: Database, key: str) -> bool:
    return bool(database.run(Scope.system(), api_keys.authenticate(hash_key(key))))


def test_a_key_is_printed_once_and_opens(aico: Aico, team: str, database: Database) -> None:
    made = aico("keys", "create", "laptop", "--tenant", team)
    key = made.out.strip()
    assert made.code == 0
    assert key.startswith(KEY_PREFIX)
    assert _opens(database, key)
    listed = aico("keys", "ls", "--tenant", team)
    assert key[:16] in listed.out
    assert key not in listed.out + listed.err + made.err


def test_a_second_key_belongs_to_the_same_tenant(aico: Aico, team: str, database: Database) -> None:
    for name in ("one", "two"):
        aico("keys", "create", name, "--tenant", team)
    listed = aico("keys", "ls", "--tenant", team).out
    assert "one" in listed
    assert "two" in listed
    assert len(database.run(Scope.system(), tenants.find(team))) == 1


def test_a_revoked_key_opens_nothing_and_the_other_still_does(aico: Aico, team: str, database: Database) -> None:
    first, second = (aico("keys", "create", name, "--tenant", team).out.strip() for name in ("old", "new"))
    assert aico("keys", "revoke", first[:16], "--tenant", team).code == 0
    assert (_opens(database, first), _opens(database, second)) == (False, True)
    listed = {
        line.split()[3]: line for line in aico("keys", "ls", "--tenant", team).out.splitlines() if "aico_" in line
    }
    assert "revoked" in listed["old"]
    assert "live" in listed["new"]


def test_what_does_not_exist_cannot_be_revoked(aico: Aico, team: str) -> None:
    outcome = aico("keys", "revoke", "aico_live_nobody", "--tenant", team)
    assert (outcome.code, outcome.out) == (1, "")
    assert team in outcome.err.replace("\n", " ")
    key = aico("keys", "create", "only", "--tenant", team).out.strip()
    assert aico("keys", "revoke", key[:16], "--tenant", team).code == 0
    again = aico("keys", "revoke", key[:16], "--tenant", team)
    assert again.code == 1
    assert "no live key" in again.err
    assert aico("keys", "revoke", key[:16], "--tenant", f"another {team}").code == 1
