"""`aico billing` and `aico report share`, in the real database."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from billing.stripe_server import stripe_server
from cli.conftest import Aico
from conftest import Postgres, Tenant

DAY = date(2026, 11, 2)


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tenant: Tenant) -> str:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    monkeypatch.delenv("STRIPE_API_KEY", raising=False)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(
            "insert into public.rollups (tenant_id, grain, bucket, kind, provider, model, answered, input_tokens,"
            " cost_cents, baseline_cost_cents, unpriced, unpriced_baseline_cents)"
            " values (%s, 'day', %s, 'call', 'p', 'm', 3, 500, 2, 30, 1, 8)",
            (tenant.id, datetime.combine(DAY, time(), UTC)),
        )
        admin.execute(
            "insert into public.billing_accounts (tenant_id, stripe_customer_id, status, plan, metered_from)"
            " values (%s, %s, 'active', 'pro', %s)",
            (tenant.id, f"cus_{tenant.id}", DAY),
        )
    return f"tenant {tenant.id}"


def reports(postgres: Postgres, tenant: Tenant) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres.admin_url) as admin:
        return admin.execute(
            "select unit, quantity, sent_at is not null from public.usage_reports where tenant_id = %s", (tenant.id,)
        ).fetchall()


def test_a_share_is_shown_with_how_it_was_found(aico: Aico, name: str) -> None:
    outcome = aico("report", "share", name, "--month", "2026-11", "--json")
    assert outcome.code == 0, outcome.err
    shown = json.loads(outcome.out)
    assert shown["method"] == "list_price_baseline"
    money = {field: Decimal(shown[field]) for field in ("savings_cents", "amount_cents", "excluded_baseline_cents")}
    assert money == {"savings_cents": Decimal(20), "amount_cents": Decimal(3), "excluded_baseline_cents": Decimal(8)}
    assert shown["unpriced_attempts"] == 1
    table = aico("report", "share", name, "--month", "2026-11").out
    assert "list_price_baseline" in table
    assert "$0.030000" in table


def test_a_month_that_is_none_and_a_tenant_that_is_nobody_are_told(aico: Aico, name: str) -> None:
    assert aico("report", "share", name, "--month", "2026-13").code == 2
    assert aico("report", "share", name, "--month", "9999-12").code == 2
    assert aico("report", "share", "nobody").code == 1
    assert aico("billing", "status", "nobody").code == 1


def test_use_is_reported_by_hand_once(
    aico: Aico, name: str, tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stripe_server() as server:
        monkeypatch.setenv("STRIPE_API_KEY", "sk_test_1234567890")
        monkeypatch.setenv("STRIPE_API_BASE", server.url)
        monkeypatch.setenv("STRIPE_METER_EVENTS", "tokens:aico_tokens")
        planned = aico("billing", "report-usage", "--dry-run")
        assert (planned.code, "500" in planned.out, str(tenant.id) in planned.out) == (0, True, True)
        assert reports(postgres, tenant) == []
        assert server.calls == []
        for _ in range(2):
            assert aico("billing", "report-usage").code == 0
        assert server.used[f"cus_{tenant.id}"] == 500
    assert reports(postgres, tenant) == [("tokens", 500, True)]


def test_without_a_key_nothing_is_reported(aico: Aico, name: str) -> None:
    outcome = aico("billing", "report-usage")
    assert (outcome.code, "STRIPE_API_KEY" in outcome.err) == (2, True)


def test_a_report_in_doubt_is_shown_and_settled(aico: Aico, name: str, tenant: Tenant, postgres: Postgres) -> None:
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(
            "insert into public.usage_reports (tenant_id, day, unit, part, quantity, identifier, tried_at)"
            " values (%s, %s, 'tokens', 0, 500, 'aico:the-report', now() - interval '2 days')",
            (tenant.id, DAY),
        )
    shown = aico("billing", "status", name).out
    assert "active" in shown
    assert "in doubt" in shown
    assert "active" in aico("billing", "status").out
    assert aico("billing", "settle", name, "aico:another", "--arrived").code == 1
    assert aico("billing", "settle", name, "aico:the-report", "--arrived").code == 0
    assert reports(postgres, tenant) == [("tokens", 500, True)]
    with psycopg.connect(postgres.admin_url) as admin:
        audited = admin.execute(
            "select actor, action, subject from public.audit_log where tenant_id = %s and action like 'usage%%'",
            (tenant.id,),
        ).fetchall()
    assert audited == [("operator", "usage_report.settled", "aico:the-report")]
