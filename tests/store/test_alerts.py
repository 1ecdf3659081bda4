"""What tenants are told about their quotas and their spend: once each, to endpoints that want to hear of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis
from builders import new_job
from conftest import Postgres, Tenant
from quotaing import MONTHLY_TOKENS, Budgets, paid

from aico.core.ids import new_id
from aico.core.quotas import Period, Quota, Source, Unit
from aico.core.settings import Settings
from aico.store import alerts, jobs, webhooks
from aico.store.alerts import Alert, AlertKind
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers.runtime import Runtime
from aico.workers.sweep import Sweeper

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def budgets(database: Database, tenant: Tenant) -> Budgets:
    return Budgets(database, tenant.id)


@pytest.fixture
def use(budgets: Budgets) -> Callable[[int], None]:
    """A job that takes so many tokens."""

    def spend(tokens: int) -> None:
        job = new_job("use")
        budgets.run(jobs.submit(budgets.tenant, [job]))
        budgets.end(job.id, paid("0", tokens))

    return spend


def told(budgets: Budgets) -> list[Alert]:
    """Oldest first."""
    return budgets.run(alerts.page(budgets.tenant, after=None, limit=100))[::-1]


def thresholds(budgets: Budgets) -> list[int]:
    return sorted(alert.detail["threshold_percent"] for alert in told(budgets))


def endpoint(budgets: Budgets, *events: str) -> UUID:
    made = new_id()
    budgets.run(webhooks.add(budgets.tenant, made, "https://a.test", webhooks.make_secret(), events))
    return made


def test_each_share_of_a_quota_is_told_of_once_a_window(budgets: Budgets, use: Callable[[int], None]) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    reached: list[list[int]] = []
    for tokens in (49, 1, 1, 28, 1, 19, 1, 50):
        use(tokens)
        reached.append(thresholds(budgets))
    assert reached == [[], [50], [50], [50], [50, 80], [50, 80], [50, 80, 100], [50, 80, 100]]


def test_a_leap_tells_of_all_that_it_passes(budgets: Budgets, use: Callable[[int], None]) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    use(1000)
    assert thresholds(budgets) == [50, 80, 100]


def test_a_month_later_they_are_told_of_again(budgets: Budgets, use: Callable[[int], None], postgres: Postgres) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    use(50)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(
            "update public.quota_windows set starts_at = starts_at - interval '1 month' where tenant_id = %s",
            (budgets.tenant,),
        )
        admin.execute(
            "update public.alerts set occasion = occasion || ' before' where tenant_id = %s", (budgets.tenant,)
        )
    use(50)
    assert thresholds(budgets) == [50, 50]


def test_the_least_of_several_quotas_counts_and_a_new_one_begins_anew(
    budgets: Budgets, use: Callable[[int], None]
) -> None:
    budgets.limit(MONTHLY_TOKENS, 1000)
    budgets.limit(MONTHLY_TOKENS, 100, Source.TENANT)
    use(60)
    assert [(alert.detail["source"], alert.detail["limit"]) for alert in told(budgets)] == [("tenant", "100")]
    budgets.limit(MONTHLY_TOKENS, 200, Source.TENANT)
    use(30)
    assert thresholds(budgets) == [50], "45 % of the new one"
    use(10)
    assert thresholds(budgets) == [50, 50]


def test_minutes_are_not_told_of(budgets: Budgets, use: Callable[[int], None]) -> None:
    budgets.limit(Quota("tenant", Period.MINUTE, Unit.TOKENS), 1)
    use(1)
    assert told(budgets) == []


def test_endpoints_that_want_it_are_sent_the_figures(budgets: Budgets, use: Callable[[int], None]) -> None:
    wanting = [endpoint(budgets), endpoint(budgets, "quota.threshold_reached", "job.failed")]
    deaf = endpoint(budgets, "job.failed", "spend.anomaly")
    budgets.limit(MONTHLY_TOKENS, 100)
    use(81)
    for one in wanting:
        found = budgets.run(webhooks.deliveries(budgets.tenant, one, limit=100))
        sent = [delivery for delivery in found if delivery.event == "quota.threshold_reached"]
        assert sorted(delivery.payload["data"]["threshold_percent"] for delivery in sent) == [50, 80]
        data: dict[str, Any] = sent[0].payload["data"]
        assert sent[0].payload["type"] == "quota.threshold_reached"
        assert (data["scope"], data["period"], data["unit"], data["limit"], data["used"]) == (
            *("tenant", "month", "tokens", "100", "81"),
        )
        assert UUID(data["id"]) in {alert.id for alert in told(budgets)}
    assert budgets.run(webhooks.deliveries(budgets.tenant, deaf, limit=100)) == []
    due = budgets.database.run(Scope.system(), webhooks.due(quiet_seconds=3600, limit=500))
    assert len([one for one in due if one.tenant == budgets.tenant]) == 4, "the sweeper rings at once"


@pytest.fixture
def sweeper(settings: Settings, database: Database) -> Sweeper:
    client = redis.Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True)
    return Sweeper(Runtime(settings, database, client))


@pytest.fixture
def spent(postgres: Postgres, tenant: Tenant) -> Callable[[datetime, str], None]:
    def book(at: datetime, cents: str) -> None:
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            admin.execute(
                "insert into public.rollups (tenant_id, grain, bucket, kind, provider, model, cost_cents)"
                " values (%s, 'minute', %s, 'call', 'p', 'm', %s)",
                (tenant.id, at, Decimal(cents)),
            )

    return book


def test_an_hour_that_costs_far_more_than_usual_is_told_of_once(
    budgets: Budgets, sweeper: Sweeper, spent: Callable[[datetime, str], None]
) -> None:
    hook = endpoint(budgets, "spend.anomaly")
    for day in range(1, 11):
        spent(NOON - timedelta(days=day) + timedelta(minutes=day), str(40 + day))
        spent(NOON - timedelta(days=day) + timedelta(hours=1), "9000")  # another hour is another matter
    spent(NOON + timedelta(minutes=1), "300")
    spent(NOON + timedelta(minutes=59), "200")
    for minute in (6, 7, 50):
        sweeper.judge_spends(NOON + timedelta(hours=1, minutes=minute))
    Sweeper(sweeper._runtime).judge_spends(NOON + timedelta(hours=1, minutes=30))  # another one, or the same restarted
    (alert,) = told(budgets)
    assert alert.kind is AlertKind.ANOMALY
    assert (alert.detail["spent_cents"], alert.detail["median_cents"], alert.detail["days"]) == ("500", "45.5", 10)
    assert "500.00 cents were spent in this hour" in alert.detail["explanation"]
    (delivery,) = budgets.run(webhooks.deliveries(budgets.tenant, hook, limit=100))
    assert delivery.payload["data"] == {"id": str(alert.id), **alert.detail}


def test_a_usual_hour_and_one_that_is_not_over_are_not_told_of(
    budgets: Budgets, sweeper: Sweeper, spent: Callable[[datetime, str], None]
) -> None:
    for day in range(1, 11):
        spent(NOON - timedelta(days=day), str(400 + day))
    spent(NOON, "430")
    spent(NOON + timedelta(hours=1), "99999")
    sweeper.judge_spends(NOON + timedelta(hours=1, minutes=10))
    sweeper.judge_spends(NOON + timedelta(hours=2, minutes=4))
    assert told(budgets) == []


def test_days_without_spend_count_from_the_first_on(
    budgets: Budgets, sweeper: Sweeper, spent: Callable[[datetime, str], None]
) -> None:
    spent(NOON - timedelta(days=6), "1")
    spent(NOON, "99999")
    sweeper.judge_spends(NOON + timedelta(hours=1, minutes=10))
    assert told(budgets) == [], "six days are too few"
    spent(NOON - timedelta(days=7), "1")
    Sweeper(sweeper._runtime).judge_spends(NOON + timedelta(hours=1, minutes=10))
    assert [alert.detail["days"] for alert in told(budgets)] == [7]
