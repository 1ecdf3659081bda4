"""`aico tenants`: shares that are set in the real database, and that admission reads there."""

from collections.abc import Iterator

import psycopg
import pytest
from cli.conftest import Aico
from conftest import Postgres, Tenant


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tenant: Tenant) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    return f"tenant {tenant.id}"


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        yield connection


def shown(aico: Aico, name: str) -> dict[str, tuple[str, str]]:
    """Weight and cap by class."""
    outcome = aico("tenants", "shares", name)
    assert outcome.code == 0
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in outcome.out.splitlines() if "│" in line]
    return {job_class: (weight, cap) for job_class, weight, cap in cells}


def test_without_a_share_the_general_rules_hold(aico: Aico, name: str) -> None:
    general = ("1", "general")
    assert shown(aico, name) == {"interactive": general, "standard": general, "batch": general}


def test_weight_and_cap_are_set_each_for_itself(aico: Aico, name: str) -> None:
    assert aico("tenants", "share", name, "--class", "batch", "--weight", "2.5").code == 0
    assert shown(aico, name)["batch"] == ("2.5", "general")
    assert aico("tenants", "share", name, "--class", "batch", "--in-flight", "4").code == 0
    assert shown(aico, name)["batch"] == ("2.5", "4")
    assert aico("tenants", "share", name, "--class", "batch", "--weight", "1", "--in-flight", "none").code == 0
    assert shown(aico, name)["batch"] == ("1", "general")
    assert aico("tenants", "share", name, "--class", "interactive", "--in-flight", "999999").code == 0
    assert shown(aico, name)["interactive"] == ("1", "999999")
    assert shown(aico, name)["standard"] == ("1", "general")


def test_a_share_keeps_its_place_in_virtual_time(
    aico: Aico, name: str, tenant: Tenant, admin: psycopg.Connection
) -> None:
    admin.execute("insert into tenant_shares (tenant_id, class, vtime) values (%s, 'batch', 7)", (tenant.id,))
    aico("tenants", "share", name, "--class", "batch", "--weight", "3", "--in-flight", "2")
    query = "select weight, in_flight_cap, vtime from tenant_shares where tenant_id = %s"
    assert admin.execute(query, (tenant.id,)).fetchall() == [(3.0, 2, 7.0)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "--class"),
        (("--class", "batch"), "--weight, --in-flight or both"),
        (("--class", "urgent", "--weight", "2"), "'urgent'"),
        (("--class", "batch", "--weight", "0"), "a weight is between"),
        (("--class", "batch", "--weight", "-1"), "a weight is between"),
        (("--class", "batch", "--weight", "1001"), "a weight is between"),
        (("--class", "batch", "--weight", "1e-300"), "a weight is between"),
        (("--class", "batch", "--weight", "nan"), "a weight is between"),
        (("--class", "batch", "--weight", "inf"), "a weight is between"),
        (("--class", "batch", "--weight", "heavy"), "valid number"),
        (("--class", "batch", "--in-flight", "0"), "--in-flight is"),
        (("--class", "batch", "--in-flight", "-1"), "--in-flight is"),
        (("--class", "batch", "--in-flight", "1.5"), "--in-flight is"),
        (("--class", "batch", "--in-flight", "9999999"), "--in-flight is"),
        (("--class", "batch", "--in-flight", "\u0664"), "--in-flight is"),
        (("--class", "batch", "--weight", "2", "--in-flight", "few"), "--in-flight is"),
    ],
)
def test_what_is_no_share_is_refused_and_changes_nothing(
    aico: Aico, name: str, options: tuple[str, ...], reason: str
) -> None:
    outcome = aico("tenants", "share", name, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in " ".join(outcome.err.replace("│", " ").split())
    assert shown(aico, name)["batch"] == ("1", "general")


def test_a_tenant_that_does_not_exist(aico: Aico, name: str) -> None:
    for arguments in (("share", "nobody at all", "--class", "batch", "--weight", "2"), ("shares", "nobody at all")):
        outcome = aico("tenants", *arguments)
        assert (outcome.code, outcome.out) == (1, "")
        assert "there is no tenant named 'nobody at all'" in outcome.err
