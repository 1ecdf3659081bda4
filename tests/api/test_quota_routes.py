"""Quotas as tenants read and set them, and what they were told about them."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from api.conftest import Connect, assert_problem
from conftest import Tenant
from quotaing import MONTHLY_TOKENS, Budgets, paid

from aico.core.access import Permission
from aico.core.keys import make_key
from aico.core.quotas import Period, Quota, Source, Unit
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope

EXPECTED = 14 + 50  # tokens of "x" with max_tokens 50


@pytest.fixture
def budgets(database: Database, tenant: Tenant) -> Budgets:
    return Budgets(database, tenant.id)


def submit(client: httpx2.Client, **body: Any) -> httpx2.Response:
    return client.post("/v1/jobs", json={"prompt": "x", "max_tokens": 50, "cache": "off", **body})


@pytest.fixture
def manager(connect: Connect, service: str, tenant: Tenant, database: Database) -> httpx2.Client:
    """With a key that may change quotas."""
    key = make_key("manager")
    scopes = [Permission.SETTINGS_WRITE.value, Permission.USAGE_READ.value]
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key, scopes))
    return connect(service, key.secret.get_secret_value())


def test_quotas_are_listed_with_what_is_left(api: httpx2.Client, budgets: Budgets) -> None:
    assert api.get("/v1/quotas").json() == {"data": []}
    budgets.limit(Quota("tenant", Period.DAY, Unit.CENTS), "12.5")
    budgets.limit(MONTHLY_TOKENS, 1000, Source.PLAN)
    one, two = (submit(api).json()["id"] for _ in range(2))
    assert one != two
    budgets.end(UUID(one), paid("0.25", 36))
    month, day = api.get("/v1/quotas").json()["data"]
    starts, resets = (datetime.fromisoformat(month.pop(name)) for name in ("starts_at", "resets_at"))
    assert month == {
        "scope": "tenant",
        "period": "month",
        "unit": "tokens",
        "source": "plan",
        "limit": "1000",
        "used": "36",
        "reserved": str(EXPECTED),
        "left": str(1000 - 36 - EXPECTED),
    }
    assert (starts.day, starts.hour, resets.day, resets.hour) == (1, 0, 1, 0)
    assert (day["unit"], day["limit"], day["used"]) == ("cents", "12.5", "0.25")
    assert Decimal(day["left"]) == Decimal("12.25") - Decimal(day["reserved"])


def test_a_tenant_sets_and_removes_quotas_of_its_own(
    manager: httpx2.Client, api: httpx2.Client, budgets: Budgets, tenant: Tenant
) -> None:
    budgets.limit(MONTHLY_TOKENS, 1000, Source.PLAN)
    mine = {"period": "month", "unit": "tokens", "limit": "63"}
    view = manager.put("/v1/quotas", json=mine)
    assert (view.status_code, view.json()["source"], view.json()["left"]) == (200, "tenant", "63")
    assert submit(api).status_code == 402
    assert manager.put("/v1/quotas", json={**mine, "limit": 10**15}).status_code == 200
    assert submit(api, max_tokens=2000).status_code == 402, "the plan's quota still holds"
    key = f"key:{tenant.key_id}"
    assert manager.put("/v1/quotas", json={**mine, "scope": key}).json()["scope"] == key
    assert len(api.get("/v1/quotas").json()["data"]) == 3
    named = {"period": "month", "unit": "tokens"}
    assert manager.delete("/v1/quotas", params=named).status_code == 204
    assert_problem(manager.delete("/v1/quotas", params=named), 404, "not_found")
    assert [one["source"] for one in api.get("/v1/quotas").json()["data"]] == ["plan", "tenant"]


def test_only_those_who_may_change_settings_change_quotas(api: httpx2.Client, budgets: Budgets) -> None:
    body = {"period": "month", "unit": "tokens", "limit": "63"}
    assert_problem(api.put("/v1/quotas", json=body), 403, "forbidden")
    assert_problem(api.delete("/v1/quotas", params={"period": "month", "unit": "tokens"}), 403, "forbidden")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"scope": f"key:{uuid4()}"}, 404),
        ({"scope": "key:mine"}, 422),
        ({"scope": "tag:"}, 422),
        ({"scope": "tag:a b"}, 422),
        ({"scope": "tag:" + "x" * 65}, 422),
        ({"scope": "everybody"}, 422),
        ({"scope": "tenant\n"}, 422),
        ({"scope": None}, 422),
        ({"period": "year"}, 422),
        ({"unit": "euros"}, 422),
        ({"limit": "-1"}, 422),
        ({"limit": "NaN"}, 422),
        ({"limit": "Infinity"}, 422),
        ({"limit": "1e999"}, 422),
        ({"limit": "0.0000001"}, 422),
        ({"limit": 10**16}, 422),
        ({"source": "plan"}, 422),
    ],
)
def test_what_is_no_quota_is_refused_and_changes_nothing(
    manager: httpx2.Client, change: dict[str, Any], status: int
) -> None:
    body = {"period": "month", "unit": "tokens", "limit": "63", **change}
    assert_problem(manager.put("/v1/quotas", json=body), status)
    assert manager.get("/v1/quotas").json() == {"data": []}


def test_another_tenants_key_is_none_of_ours(manager: httpx2.Client, make_tenant: Callable[[], Tenant]) -> None:
    body = {"scope": f"key:{make_tenant().key_id}", "period": "month", "unit": "tokens", "limit": "63"}
    assert_problem(manager.put("/v1/quotas", json=body), 404, "not_found")


def test_alerts_are_listed_newest_first_page_by_page(
    api: httpx2.Client, budgets: Budgets, connect: Connect, service: str, make_tenant: Callable[[], Tenant]
) -> None:
    budgets.limit(MONTHLY_TOKENS, 100)
    for tokens in (50, 30, 20):
        job = submit(api, max_tokens=1).json()["id"]
        budgets.end(UUID(job), paid("0", tokens))
    first = api.get("/v1/alerts", params={"limit": 2}).json()
    assert [one["detail"]["threshold_percent"] for one in first["data"]] == [100, 80]
    assert first["has_more"]
    rest = api.get("/v1/alerts", params={"limit": 2, "after": first["next"]}).json()
    assert [(one["kind"], one["detail"]["threshold_percent"]) for one in rest["data"]] == [
        ("quota.threshold_reached", 50)
    ]
    assert not rest["has_more"]
    assert connect(service, make_tenant().key).get("/v1/alerts").json()["data"] == []
