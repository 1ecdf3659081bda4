"""How quotas are set: what they begin with, what plans bring, what is written down, and what is deleted when."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from quotaing import MONTHLY_TOKENS, Budgets, job, paid, refused

from aico.core.plans import MONTHLY_TOKENS as PLAN_TOKENS
from aico.core.plans import Plan
from aico.core.quotas import Period, Quota, Source, Unit
from aico.store import ledger, quotas, tenants
from aico.store.blocking import Database
from aico.store.quotas import MAX_QUOTAS, Outcome
from aico.store.scope import Scope

Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection


@pytest.fixture
def budgets(database: Database, tenant: Tenant) -> Budgets:
    return Budgets(database, tenant.id)


@pytest.mark.parametrize("booked", [False, True])
def test_a_quota_that_is_set_late_begins_with_what_was_used(budgets: Budgets, tenant: Tenant, booked: bool) -> None:
    scopes = ("tenant", f"key:{tenant.key_id}", "tag:a")
    mine = job(api_key_id=tenant.key_id, tags=("a",))
    others = job()
    budgets.submit(mine, others)
    budgets.end(mine.id, paid("0.5", 7), paid("0.25", 3, ok=False))
    budgets.end(others.id, paid(None, 90))
    if booked:
        budgets.run(ledger.book([tenant.id], [mine.id, others.id]))
    expected = {Unit.TOKENS: (100, 10, 10), Unit.CENTS: (0.75, 0.75, 0.75), Unit.REQUESTS: (2, 1, 1)}
    for unit, used in expected.items():
        for scope, amount in zip(scopes, used, strict=True):
            quota = Quota(scope, Period.DAY, unit)
            budgets.limit(quota, 1000)
            assert budgets.figures(quota) == (Decimal(amount), 0), quota.name


def test_a_plan_takes_effect_with_the_change(budgets: Budgets) -> None:
    for plan, tokens in PLAN_TOKENS.items():
        budgets.run(tenants.set_plan(budgets.tenant, plan))
        found = [(one.quota, one.source, one.limit) for one in budgets.run(quotas.standings(budgets.tenant))]
        assert found == ([] if tokens is None else [(MONTHLY_TOKENS, Source.PLAN, tokens)]), plan
    budgets.run(tenants.set_plan(budgets.tenant, Plan.FREE))
    assert refused(budgets.submit(job(10_001)))
    budgets.run(tenants.set_plan(budgets.tenant, Plan.PRO))
    one = job(10_001)
    assert not refused(budgets.submit(one))
    budgets.run(tenants.set_plan(budgets.tenant, None))
    assert not refused(budgets.submit(job(10**9)))
    budgets.end(one.id, paid(tokens=10_000))
    budgets.run(tenants.set_plan(budgets.tenant, Plan.FREE))
    assert budgets.figures() == (10_000, 0)


def test_a_quota_names_a_key_of_the_tenant_and_there_are_not_too_many(
    budgets: Budgets, make_tenant: Callable[[], Tenant]
) -> None:
    other = make_tenant()
    foreign = Quota(f"key:{other.key_id}", Period.DAY, Unit.TOKENS)
    put = quotas.put(budgets.tenant, foreign, Decimal(1), Source.TENANT, "user:1")
    assert budgets.run(put) == [Outcome.NO_KEY]
    for number in range(MAX_QUOTAS):
        budgets.limit(Quota(f"tag:{number}", Period.DAY, Unit.TOKENS), 1)
    more = Quota("tag:more", Period.DAY, Unit.TOKENS)
    assert budgets.run(quotas.put(budgets.tenant, more, Decimal(1), Source.OPERATOR, "x")) == [Outcome.TOO_MANY]
    budgets.limit(Quota("tag:0", Period.DAY, Unit.TOKENS), 2)


def test_each_change_is_in_the_audit_log(budgets: Budgets, admin: Connection) -> None:
    budgets.run(quotas.put(budgets.tenant, MONTHLY_TOKENS, Decimal("1.5"), Source.TENANT, "user:1"))
    remove = quotas.remove(budgets.tenant, MONTHLY_TOKENS, Source.TENANT, "user:2")
    assert [budgets.run(remove), budgets.run(remove)] == [[True], [False]]
    written = admin.execute(
        "select actor, action, subject, detail from public.audit_log"
        " where tenant_id = %s and action like 'quota.%%' order by at",
        (budgets.tenant,),
    ).fetchall()
    assert [tuple(row.values()) for row in written] == [
        ("user:1", "quota.set", "tenant/month/tokens", {"source": "tenant", "limit": "1.5"}),
        ("user:2", "quota.removed", "tenant/month/tokens", {"source": "tenant"}),
    ]


def test_old_windows_and_alerts_are_deleted_and_present_ones_stay(budgets: Budgets, admin: Connection) -> None:
    budgets.limit(MONTHLY_TOKENS, 50)
    admin.execute(
        "insert into public.quota_windows (tenant_id, scope, period, unit, starts_at, reserved) values"
        " (%(t)s, 'tenant', 'minute', 'tokens', now() - interval '2 days', 0),"
        " (%(t)s, 'tenant', 'minute', 'tokens', now() - interval '3 days', 1),"
        " (%(t)s, 'tenant', 'month', 'tokens', now() - interval '500 days', 0)",
        {"t": budgets.tenant},
    )
    admin.execute(
        "insert into public.alerts (tenant_id, kind, occasion, detail, created_at) values"
        " (%(t)s, 'spend.anomaly', 'old', '{}', now() - interval '31 days'),"
        " (%(t)s, 'spend.anomaly', 'new', '{}', now() - interval '29 days')",
        {"t": budgets.tenant},
    )
    budgets.database.run(Scope.system(), quotas.purge(kept_days=30, limit=500))
    left = admin.execute(
        "select period, reserved from public.quota_windows where tenant_id = %s order by period", (budgets.tenant,)
    ).fetchall()
    assert [(row["period"], row["reserved"]) for row in left] == [("minute", 1), ("month", 0)]
    told = admin.execute("select occasion from public.alerts where tenant_id = %s", (budgets.tenant,)).fetchall()
    assert [row["occasion"] for row in told] == ["new"]
