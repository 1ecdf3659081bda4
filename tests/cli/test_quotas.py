"""`aico quotas`: what the operator agreed on with a tenant, in the real database."""

import pytest
from cli.conftest import Aico
from conftest import Postgres, Tenant
from quotaing import MONTHLY_TOKENS, Budgets

from aico.core.plans import Plan
from aico.core.quotas import Source
from aico.store import tenants
from aico.store.blocking import Database

MONTH = ("--period", "month", "--unit", "tokens")


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tenant: Tenant, database: Database) -> Budgets:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    return Budgets(database, tenant.id)


@pytest.fixture
def name(tenant: Tenant) -> str:
    return f"tenant {tenant.id}"


def shown(aico: Aico, name: str) -> list[list[str]]:
    outcome = aico("quotas", "ls", name)
    assert outcome.code == 0, outcome.err
    lines = [line for line in outcome.out.splitlines() if "│" in line]
    return [[cell.strip() for cell in line.strip("│").split("│")][:6] for line in lines]


def test_quotas_are_set_shown_and_removed(aico: Aico, name: str, budgets: Budgets, tenant: Tenant) -> None:
    cents, key = ("--period", "day", "--unit", "cents"), f"key:{tenant.key_id}"
    assert aico("quotas", "set", name, "1000000", *MONTH).code == 0
    assert aico("quotas", "set", name, "2.5", *cents, "--scope", "tag:a").code == 0
    assert aico("quotas", "set", name, "9", *cents, "--scope", key).code == 0
    assert shown(aico, name) == [
        ["tenant/month/tokens", "operator", "1000000", "0", "0", "1000000"],
        [f"{key}/day/cents", "operator", "9", "0", "0", "9"],
        ["tag:a/day/cents", "operator", "2.5", "0", "0", "2.5"],
    ]
    assert aico("quotas", "rm", name, *cents, "--scope", "tag:a").code == 0
    assert len(shown(aico, name)) == 2
    assert budgets.standing().limit == 1_000_000


def test_what_the_plan_and_the_tenant_set_stays(aico: Aico, name: str, budgets: Budgets) -> None:
    budgets.run(tenants.set_plan(budgets.tenant, Plan.PRO))
    budgets.limit(MONTHLY_TOKENS, 5, Source.TENANT)
    outcome = aico("quotas", "rm", name, *MONTH)
    assert outcome.code == 1
    assert "the operator has set no quota tenant/month/tokens" in outcome.err
    assert [row[1] for row in shown(aico, name)] == ["plan", "tenant"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("lots", *MONTH),
        ("NaN", *MONTH),
        ("--", "-1", *MONTH),
        ("1e99", *MONTH),
        ("0.0000001", *MONTH),
        ("1", "--period", "year", "--unit", "tokens"),
        ("1", "--period", "day", "--unit", "euros"),
        ("1", *MONTH, "--scope", "everybody"),
        ("1", *MONTH, "--scope", "key:1"),
        ("1", "--period", "day"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    aico: Aico, name: str, budgets: Budgets, arguments: tuple[str, ...]
) -> None:
    outcome = aico("quotas", "set", name, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert shown(aico, name) == []


def test_tenants_and_keys_that_do_not_exist(aico: Aico, name: str, budgets: Budgets) -> None:
    assert aico("quotas", "set", "nobody at all", "1", *MONTH).code == 1
    assert aico("quotas", "ls", "nobody at all").code == 1
    foreign = aico("quotas", "set", name, "1", *MONTH, "--scope", f"key:{budgets.tenant}")
    assert (foreign.code, "no API key with that id" in foreign.err) == (1, True)
