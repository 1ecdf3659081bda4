"""`aico cache index`: indexes of large namespaces, for operators and where the sweeper does not know the owner."""

import signal
from collections.abc import Iterator

import pytest
from cli.conftest import Aico
from conftest import Postgres, Tenant
from workers.indexing import Connection, administering, clusters, fill


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """The command takes them for its process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with administering(postgres.admin_url) as connection:
        yield connection


def test_an_operator_builds_indexes_and_sees_what_they_find(
    aico: Aico,
    admin: Connection,
    postgres: Postgres,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_ADMIN_URL", postgres.admin_url)
    monkeypatch.setenv("CACHE_INDEX_ROWS", "500")
    fill(admin, tenant, clusters(500))
    shown = aico("cache", "index")
    assert shown.code == 0
    (line,) = (line.split() for line in shown.out.splitlines() if str(tenant.id) in line)
    assert line[2:6] == ["500", "used", "1.000", "1.000"]


def test_another_process_that_builds_is_left_alone(
    aico: Aico,
    admin: Connection,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_ADMIN_URL", postgres.admin_url)
    admin.execute("select pg_advisory_lock(4157105)")
    assert "Another process is at it." in aico("cache", "index").err


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "set DATABASE_ADMIN_URL"),
        ({"DATABASE_ADMIN_URL": "postgresql://owner@127.0.0.1:9/aico"}, "the database did not do it"),
    ],
    ids=["no owner", "no database"],
)
def test_what_keeps_indexes_from_being_built_is_said(
    aico: Aico, variables: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_ADMIN_URL", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    refused = aico("cache", "index")
    assert refused.code != 0
    assert reason in " ".join(refused.err.split())
