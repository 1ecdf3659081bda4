"""What the API says of a month: use, savings and the share."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from api.billing.conftest import Shop
from api.conftest import Connect, assert_problem
from builders import new_job
from psycopg import sql

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline
from aico.core.ids import new_id
from aico.core.usage import Usage
from aico.store import jobs, ledger
from aico.store.blocking import Database
from aico.store.scope import Scope

Book = Callable[..., None]
NOVEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


@pytest.fixture
def book(shop: Shop, database: Database) -> Book:
    """Books an attempt, through the outbox, as workers do."""

    def book(kind: AttemptKind, cost: str | None, baseline: str, *, at: datetime = NOVEMBER) -> None:
        tenant, job = shop.tenant.id, new_job("a question")
        scope = Scope.tenant(tenant)
        database.run(scope, jobs.submit(tenant, [job]))
        attempt = Attempt(
            id=new_id(),
            at=at,
            kind=kind,
            outcome=AttemptOutcome.OK,
            provider="p",
            model="m",
            latency_ms=1,
            usage=Usage(input_uncached=70, output=30),
            cost_cents=None if cost is None else Decimal(cost),
        )
        counted = ledger.conclusion(attempt, Baseline(model="b", cost_cents=Decimal(baseline)))
        row = ledger.event_row(tenant, job.id, None, attempt) | counted
        insert = sql.SQL("insert into public.ledger_outbox ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
        )
        shop.admin.execute(insert, {**row, "usage_raw": None})
        database.run(scope, ledger.book([tenant], [job.id]))

    return book


def test_a_share_is_of_verified_savings_alone(shop: Shop, book: Book) -> None:
    book(AttemptKind.CALL, "2", "10")
    book(AttemptKind.SEMANTIC_HIT, "0", "10")
    book(AttemptKind.CALL, None, "40")  # what that cost nobody knows
    book(AttemptKind.CALL, "1", "99", at=datetime(2026, 12, 1, tzinfo=UTC))
    shown = shop.client.get("/v1/billing/share", params={"month": "2026-11"}).json()
    figures = {name: Decimal(value) for name, value in shown.items() if name.endswith(("_cents", "_rate"))}
    assert figures == {
        "baseline_cost_cents": 60,
        "excluded_baseline_cents": 40,
        "cost_cents": 2,
        "savings_cents": 18,
        "share_rate": Decimal("0.15"),
        "amount_cents": Decimal("2.7"),
    }
    assert (shown["month"], shown["method"]) == ("2026-11", "list_price_baseline")
    assert (shown["answers"], shown["unpriced_attempts"]) == (3, 1)


def test_a_month_that_cost_more_than_it_saved_has_no_share(shop: Shop, book: Book) -> None:
    book(AttemptKind.CALL, "12", "10")
    shown = shop.client.get("/v1/billing/share", params={"month": "2026-11"}).json()
    assert {Decimal(shown["savings_cents"]), Decimal(shown["amount_cents"])} == {Decimal(0)}


def test_what_routing_costs_to_learn_lessens_the_share_and_is_nobodys_answer(shop: Shop, book: Book) -> None:
    book(AttemptKind.CALL, "2", "20")
    book(AttemptKind.SHADOW, "3", "0")
    book(AttemptKind.JUDGE, "5", "0")
    shown = shop.client.get("/v1/billing/share", params={"month": "2026-11"}).json()
    assert (shown["answers"], Decimal(shown["savings_cents"])) == (1, Decimal(10))


def test_use_is_of_calls_and_of_this_month(shop: Shop, book: Book) -> None:
    book(AttemptKind.CALL, "2", "10", at=datetime.now(UTC))
    book(AttemptKind.EXACT_HIT, "0", "10", at=datetime.now(UTC))
    shown = shop.client.get("/v1/billing").json()
    assert (shown["usage"]["tokens"], Decimal(shown["usage"]["cost_cents"])) == (100, Decimal(2))
    assert Decimal(shown["share"]["savings_cents"]) == 18
    assert shown["share"]["final"] is False


def test_another_tenant_sees_nothing_of_it(shop: Shop, book: Book, connect: Connect) -> None:
    book(AttemptKind.CALL, "2", "10")
    assert_problem(shop.strangers.get("/v1/billing/share", params={"month": "2026-11"}), 401)


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "1999-12", "november", "2026-11-01", "", "2026-11\x00"])
def test_what_is_no_month_is_refused(shop: Shop, month: str) -> None:
    assert_problem(shop.client.get("/v1/billing/share", params={"month": month}), 422)
