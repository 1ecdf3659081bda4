"""`aico tenants policy`: what holds for a tenant's jobs, set in the real database."""

from dataclasses import replace

import pytest
from cli.conftest import Aico
from conftest import Postgres, Tenant

from aico.core.jobs import CacheMode
from aico.store import tenants
from aico.store.blocking import Database
from aico.store.scope import Scope

GENERAL = (
    {"fallback": "yes", "cache": "service", "baseline": "service", "pii": "off"}
    | dict.fromkeys(("strategy", "quality target", "holdout", "shadow rate", "judge", "judge cents a day"), "service")
    | {"implicit outcomes": "yes", "compare with own keys": "no"}
    | dict.fromkeys(("max error rate", "cache guards"), "service")
    | {"personal questions": "user", "cache entries": "service"}
)


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tenant: Tenant) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    return f"tenant {tenant.id}"


def shown(aico: Aico, name: str, *options: str) -> dict[str, str]:
    outcome = aico("tenants", "policy", name, *options)
    assert outcome.code == 0, outcome.err
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in outcome.out.splitlines() if "│" in line]
    return dict(cells)


def test_a_tenant_without_a_policy_has_the_services(aico: Aico, name: str) -> None:
    assert shown(aico, name) == GENERAL


def test_what_is_given_is_set_and_the_rest_stays(aico: Aico, name: str, tenant: Tenant, database: Database) -> None:
    assert shown(aico, name, "--no-fallback") == {**GENERAL, "fallback": "no"}
    assert shown(aico, name, "--cache", "exact") == {**GENERAL, "fallback": "no", "cache": "exact"}
    everything = shown(aico, name, "--baseline", "gpt-5.4", "--fallback", "--holdout", "0.05")
    assert everything == shown(aico, name) == {**GENERAL, "cache": "exact", "baseline": "gpt-5.4", "holdout": "0.05"}
    stored = database.run(Scope.tenant(tenant.id), tenants.policy(tenant.id))
    assert [replace(one, holdout_share=None) for one in stored] == [
        tenants.Policy(fallback=True, cache_mode=CacheMode.EXACT, baseline_model="gpt-5.4")
    ]
    assert stored[0].holdout_share == pytest.approx(0.05)
    assert shown(aico, name, "--cache", "service", "--baseline", "service", "--holdout", "service") == GENERAL


def test_what_comparing_may_do_and_cost_is_set_as_well(aico: Aico, name: str) -> None:
    options = ("--shadow-rate", "0.01", "--judge", "gpt-5.4-nano", "--judge-budget", "2.5", "--no-implicit")
    expected = {"shadow rate": "0.01", "judge": "gpt-5.4-nano", "judge cents a day": "2.5", "implicit outcomes": "no"}
    assert shown(aico, name, *options) == {**GENERAL, **expected}
    assert shown(aico, name, "--cache", "exact") == {**GENERAL, **expected, "cache": "exact"}


def test_the_caches_error_and_its_guards_are_set_and_given_back(aico: Aico, name: str) -> None:
    chosen = {**GENERAL, "max error rate": "0.02", "cache guards": "lenient"}
    assert shown(aico, name, "--max-error-rate", "0.02", "--cache-guards", "lenient") == chosen
    assert shown(aico, name, "--max-error-rate", "service", "--cache-guards", "service") == GENERAL


def test_what_the_cache_keeps_of_a_tenant_is_set_as_well(aico: Aico, name: str) -> None:
    expected = {**GENERAL, "personal questions": "never", "cache entries": "500"}
    assert shown(aico, name, "--cache-personal", "never", "--cache-entries", "500") == expected
    assert shown(aico, name, "--cache-personal", "user", "--cache-entries", "service") == GENERAL


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--max-error-rate", "0"), "--max-error-rate is above 0"),
        (("--max-error-rate", "0.6"), "--max-error-rate is a number from 0 to 0.5"),
        (("--cache-guards", "some"), "--cache-guards is one of"),
        (("--cache-entries", "0"), "--cache-entries is a number above 0"),
        (("--cache-personal", "always"), "--cache-personal"),
        (("--cache", "always"), "--cache is one of"),
        (("--cache", ""), "--cache is one of"),
        (("--baseline", "gpt-17"), "--baseline is a model's id"),
        (("--baseline", ""), "--baseline is a model's id"),
        (("--strategy", "guess"), "--strategy is one of"),
        (("--quality-target", "1.1"), "--quality-target is a number from 0 to 1"),
        (("--quality-target", "nan"), "--quality-target is a number from 0 to 1"),
        (("--fallback=maybe",), "--fallback"),
        (("--judge", "gpt-17"), "--judge is a model's id"),
        (("--judge-budget", "-1"), "--judge-budget is a number"),
        (("--judge-budget", "much"), "--judge-budget is a number"),
        (("--shadow-rate", "1.5"), "--shadow-rate is a number from 0 to 1"),
        (("--holdout", "0.6"), "--holdout is a number from 0 to 0.5"),
        (("--holdout", "all"), "--holdout is a number from 0 to 0.5"),
        (("--no-fallback", "--cache", "always"), "--cache is one of"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    aico: Aico, name: str, options: tuple[str, ...], reason: str
) -> None:
    outcome = aico("tenants", "policy", name, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in " ".join(outcome.err.replace("│", " ").split())
    assert shown(aico, name) == GENERAL


def test_a_tenant_that_does_not_exist(aico: Aico, name: str) -> None:
    outcome = aico("tenants", "policy", "nobody at all", "--no-fallback")
    assert (outcome.code, outcome.out) == (1, "")
    assert "there is no tenant named 'nobody at all'" in outcome.err


def test_strategy_and_quality_target_are_set_and_given_back(aico: Aico, name: str) -> None:
    chosen = {**GENERAL, "strategy": "cascade", "quality target": "0.9"}
    assert shown(aico, name, "--strategy", "cascade", "--quality-target", "0.9") == chosen
    assert shown(aico, name, "--quality-target", "service") == {**chosen, "quality target": "service"}
    assert shown(aico, name, "--strategy", "service") == GENERAL
