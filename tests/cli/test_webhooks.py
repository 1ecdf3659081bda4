"""`aico webhooks`: added, listed and removed in the real database."""

import re

import pytest
from cli.conftest import Aico
from conftest import Postgres

from aico.core.ids import new_id


@pytest.fixture
def team(aico: Aico, monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> str:
    """A tenant of its own."""
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    name = f"team {new_id()}"
    assert aico("keys", "create", "first", "--tenant", name).code == 0
    return name


def test_an_endpoints_secret_is_printed_once(aico: Aico, team: str) -> None:
    added = aico("webhooks", "add", "https://hooks.test/a", "--tenant", team, "--event", "job.failed")
    secret = added.out.strip()
    assert added.code == 0
    assert secret.startswith("whsec_")
    listed = aico("webhooks", "ls", "--tenant", team)
    assert "https://hooks.test/a" in listed.out
    assert "job.failed" in listed.out
    assert secret not in listed.out + listed.err + added.err


def test_a_removed_endpoint_is_gone(aico: Aico, team: str) -> None:
    added = aico("webhooks", "add", "https://hooks.test/a", "--tenant", team)
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", added.err)
    assert found is not None
    assert "all" in aico("webhooks", "ls", "--tenant", team).out
    assert aico("webhooks", "rm", found[0], "--tenant", team).code == 0
    assert "hooks.test" not in aico("webhooks", "ls", "--tenant", team).out
    again = aico("webhooks", "rm", found[0], "--tenant", team)
    assert again.code == 1
    assert "has no endpoint" in again.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("http://hooks.test/",), "https://"),
        (("hooks.test",), "https://"),
        (("https://hooks.test/" + "a" * 2000,), "at most 2000 characters"),
        (("https://hooks.test/", "--event", "job.started"), "there is no event 'job.started'"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(aico: Aico, team: str, arguments: tuple[str, ...], reason: str) -> None:
    outcome = aico("webhooks", "add", *arguments, "--tenant", team)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err.replace("\n", " ")
    assert "hooks.test" not in aico("webhooks", "ls", "--tenant", team).out


def test_a_tenant_must_exist(aico: Aico, team: str) -> None:
    outcome = aico("webhooks", "add", "https://hooks.test/", "--tenant", f"another {team}")
    assert (outcome.code, outcome.out) == (1, "")
