"""What `GET /v1/savings` says of what was booked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_problem
from conftest import Tenant
from psycopg.types.json import Jsonb

from aico.core.access import Permission
from aico.core.assignment import HELD_OUT, ROUTED
from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline
from aico.core.ids import new_id
from aico.core.keys import make_key
from aico.core.usage import Usage
from aico.store import api_keys, ledger
from aico.store.blocking import Database
from aico.store.scope import Scope

Book = Callable[..., None]
TODAY = datetime.now(UTC)
LAST_MONTH = TODAY.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def book(tenant: Tenant, database: Database, admin: psycopg.Connection[Any]) -> Book:
    """Books jobs of one attempt each, as workers do."""

    def book(
        *costs: str, arm: str | None = None, kind: AttemptKind = AttemptKind.CALL, baseline: str = "10", at: Any = TODAY
    ) -> None:
        named, events = [], []
        for cost in costs:
            attempt = Attempt(
                id=new_id(),
                at=at,
                kind=kind,
                outcome=AttemptOutcome.OK,
                provider="p",
                model="m",
                latency_ms=100,
                usage=Usage(input_uncached=70, output=30),
                cost_cents=Decimal(cost),
            )
            counted = None if kind is AttemptKind.JUDGE else Baseline(model="b", cost_cents=Decimal(baseline))
            named.append(new_id())
            arms = () if arm is None else (arm,)
            said = ledger.conclusion(attempt, counted, arms, Decimal(cost))
            events.append(ledger.event_row(tenant.id, named[-1], None, attempt) | said)
        admin.execute(
            "insert into public.ledger_outbox select * from jsonb_populate_recordset(null::public.ledger_outbox, %s)",
            (Jsonb(events),),
        )
        database.run(Scope.tenant(tenant.id), ledger.book([tenant.id], named))

    return book


@pytest.fixture
def administrator(connect: Connect, service: str, tenant: Tenant, database: Database) -> httpx2.Client:
    """With a key of the same tenant that may change its policy."""
    key = make_key("test")
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key, [Permission.SETTINGS_WRITE]))
    return connect(service, key.secret.get_secret_value())


def test_savings_are_shown_against_the_price_list_and_against_what_was_held_out(api: httpx2.Client, book: Book) -> None:
    book(*["8", "12"] * 20, arm=HELD_OUT)
    book(*["1", "3"] * 50, arm=ROUTED)
    book("30", kind=AttemptKind.JUDGE)
    shown = api.get("/v1/savings").raise_for_status().json()
    assert Decimal(shown["routing_cost"]["judge_cents"]) == Decimal(shown["routing_cost"]["total_cents"]) == 30
    listed = shown["price_list"]
    assert [Decimal(listed[f"{name}_cents"]) for name in ("baseline_cost", "cost", "saved")] == [1400, 630, 770]
    assert listed["answers"] == 140
    held = shown["holdout"]
    assert held["status"] == "measured"
    assert (held["baseline"]["jobs"], held["routed"]["jobs"]) == (40, 100)
    assert (held["baseline"]["mean_cents"], held["routed"]["mean_latency_ms"]) == (10, 100)
    assert held["saved_cents_per_job"]["value"] == pytest.approx(8)
    assert Decimal(held["saved_cents"]["value"]) == 100 * 8 - 30
    assert Decimal(held["saved_cents"]["low"]) < 770 < Decimal(held["saved_cents"]["high"])
    assert held["saved_share"]["value"] == pytest.approx(0.8)
    assert held["quality_difference"] is None


def test_a_month_is_that_month(api: httpx2.Client, book: Book) -> None:
    book("1", "2", arm=ROUTED)
    book("4", arm=ROUTED, at=LAST_MONTH)
    shown = api.get("/v1/savings", params={"month": f"{LAST_MONTH:%Y-%m}"}).raise_for_status().json()
    assert Decimal(shown["price_list"]["cost_cents"]) == 4
    assert shown["holdout"]["routed"]["jobs"] == 1
    assert shown["holdout"]["status"] == "off"  # here nothing is held out now
    assert shown["holdout"]["saved_cents"] is None
    assert datetime.fromisoformat(shown["until"]) == TODAY.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def test_a_share_that_is_held_out_is_shown_and_few_jobs_tell_nothing(
    api: httpx2.Client, administrator: httpx2.Client, book: Book
) -> None:
    administrator.patch("/v1/tenant", json={"holdout_share": 0.25}).raise_for_status()
    book("8", "12", arm=HELD_OUT)
    held = api.get("/v1/savings", params={"days": 7}).raise_for_status().json()["holdout"]
    assert (held["share"], held["status"]) == (0.25, "too_few")


def test_of_nothing_nothing_was_saved(api: httpx2.Client) -> None:
    shown = api.get("/v1/savings").raise_for_status().json()
    assert (shown["price_list"]["answers"], shown["price_list"]["saved_share"]) == (0, None)
    assert shown["holdout"]["baseline"]["mean_cents"] is None


def test_another_tenants_savings_are_not_shown(
    api: httpx2.Client, book: Book, connect: Connect, service: str, make_tenant: Callable[[], Tenant]
) -> None:
    book("1", "2", arm=ROUTED)
    stranger = connect(service, make_tenant().key)
    shown = stranger.get("/v1/savings").raise_for_status().json()
    assert (shown["price_list"]["answers"], shown["holdout"]["routed"]["jobs"]) == (0, 0)


@pytest.mark.parametrize(
    "params", [{"days": 0}, {"days": 367}, {"days": "x"}, {"month": "2026-13"}, {"days": 7, "month": "2026-11"}]
)
def test_what_is_no_period_is_refused(api: httpx2.Client, params: dict[str, Any]) -> None:
    assert_problem(api.get("/v1/savings", params=params), 422)


@pytest.mark.parametrize("field", ["holdout_share", "quality_target", "shadow_rate", "similarity_threshold"])
def test_a_share_that_is_smaller_than_the_database_can_hold_is_none(administrator: httpx2.Client, field: str) -> None:
    changed = administrator.patch("/v1/tenant", json={field: 1e-60}).raise_for_status()
    assert changed.json()[field] == 0


@pytest.mark.parametrize("share", [-0.1, 0.6, "x"])
def test_what_is_no_share_is_refused(administrator: httpx2.Client, share: object) -> None:
    assert_problem(administrator.patch("/v1/tenant", json={"holdout_share": share}), 422)
