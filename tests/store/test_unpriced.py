"""What a tenant is told when an answer's cost is unknown: once a day and model, with what to do."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from builders import new_job
from conftest import Tenant
from quotaing import Budgets, paid

from aico.core.attempts import Attempt, AttemptKind
from aico.core.ids import new_id
from aico.store import alerts, jobs, ledger, webhooks
from aico.store.alerts import Alert, AlertKind
from aico.store.blocking import Database

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Books(Budgets):
    def book(self, *attempts: Attempt) -> None:
        job = new_job("counted")
        self.run(jobs.submit(self.tenant, [job]))
        self.end(job.id, *attempts)
        assert self.run(ledger.book([self.tenant], [job.id])) == [len(attempts)]

    def told(self) -> list[Alert]:
        """Oldest first."""
        return self.run(alerts.page(self.tenant, after=None, limit=100))[::-1]


@pytest.fixture
def books(database: Database, tenant: Tenant) -> Books:
    return Books(database, tenant.id)


@pytest.fixture
def unpriced() -> Callable[..., Attempt]:
    def make(model: str = "house-model", *, tokens: int = 10, at: datetime = NOON, ok: bool = True) -> Attempt:
        attempt = paid(None, tokens, ok=ok)
        return attempt.model_copy(update={"provider": "openai_compatible", "model": model, "at": at})

    return make


def test_the_first_answer_of_a_day_without_a_price_is_told_of_with_what_to_do(
    books: Books, unpriced: Callable[..., Attempt]
) -> None:
    books.book(unpriced(), unpriced(at=NOON + timedelta(minutes=1)))
    books.book(unpriced(at=NOON + timedelta(hours=11)))
    (alert,) = books.told()
    assert alert.kind is AlertKind.PRICE_UNKNOWN
    explanation = alert.detail.pop("explanation")
    assert alert.detail == {
        "day": "2026-05-20",
        "provider": "openai_compatible",
        "model": "house-model",
        "missing": "price",
    }
    assert "CATALOGUE_FILE" in explanation
    assert "aico reprice" in explanation


def test_each_day_and_each_model_is_told_of(books: Books, unpriced: Callable[..., Attempt]) -> None:
    books.book(unpriced(), unpriced("another"), unpriced(at=NOON + timedelta(hours=12)))
    told = {(alert.detail["day"], alert.detail["model"]) for alert in books.told()}
    assert told == {("2026-05-20", "house-model"), ("2026-05-20", "another"), ("2026-05-21", "house-model")}


def test_an_answer_without_tokens_lacks_usage_and_not_a_price(books: Books, unpriced: Callable[..., Attempt]) -> None:
    books.book(unpriced(tokens=0), unpriced())
    assert sorted(alert.detail["missing"] for alert in books.told()) == ["price", "usage"]


def test_calls_that_failed_hits_and_priced_answers_are_not_told_of(
    books: Books, unpriced: Callable[..., Attempt]
) -> None:
    hit = unpriced().model_copy(update={"id": new_id(), "kind": AttemptKind.SEMANTIC_HIT, "cost_cents": Decimal(0)})
    books.book(unpriced(ok=False), hit, paid("0", 5))
    assert books.told() == []


def test_another_tenant_hears_nothing_of_it(
    books: Books, unpriced: Callable[..., Attempt], make_tenant: Callable[[], Tenant]
) -> None:
    other = Books(books.database, make_tenant().id)
    books.book(unpriced())
    assert other.told() == []


def test_endpoints_that_want_it_are_sent_the_model(books: Books, unpriced: Callable[..., Attempt]) -> None:
    wanting, deaf = new_id(), new_id()
    secret = webhooks.make_secret()
    books.run(webhooks.add(books.tenant, wanting, "https://a.test", secret, ["price.unknown"]))
    books.run(webhooks.add(books.tenant, deaf, "https://a.test", secret, ["job.failed"]))
    books.book(unpriced(), unpriced())
    (delivery,) = books.run(webhooks.deliveries(books.tenant, wanting, limit=10))
    (alert,) = books.told()
    assert delivery.payload["data"] == {"id": str(alert.id), **alert.detail}
    assert books.run(webhooks.deliveries(books.tenant, deaf, limit=10)) == []
