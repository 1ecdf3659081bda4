"""`aico reprice`: history at other prices, in the real database; the ledger, its sums and their records stay one."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cli.conftest import Aico, Outcome
from cli.repricing import JUNE, MAY, PRICES, Books, attempt
from conftest import Postgres, Tenant
from psycopg.rows import dict_row

from aico.cli import reprice
from aico.core.attempts import AttemptKind, AttemptOutcome, Baseline, KeySource
from aico.core.ids import new_id
from aico.core.repricing import Charge, Correction
from aico.core.usage import Usage
from aico.store import audit, repricing
from aico.store.blocking import Database
from aico.store.scope import Scope


@pytest.fixture
def make_books(
    postgres: Postgres, database: Database, make_tenant: Callable[[], Tenant]
) -> Iterator[Callable[[], Books]]:
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as admin:
        yield lambda: Books(database, admin, make_tenant())


@pytest.fixture
def books(
    make_books: Callable[[], Books], monkeypatch: pytest.MonkeyPatch, postgres: Postgres, tmp_path: Path
) -> Books:
    (tmp_path / "prices.toml").write_text(PRICES)
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    monkeypatch.setenv("CATALOGUE_FILE", str(tmp_path / "prices.toml"))
    return make_books()


def report(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    parsed: dict[str, Any] = json.loads(outcome.out)
    return parsed


def test_calls_are_priced_at_their_own_date_from_all_that_their_price_depends_on(aico: Aico, books: Books) -> None:
    expected = {
        attempt(): "200",
        attempt(JUNE): "100",
        attempt(usage=Usage(output=1_000_000, reasoning=500_000)): "400",
        attempt(usage=Usage(cache_read=1_000_000, cache_write=1_000_000, cache_write_1h=500_000)): "700",
        attempt(usage=Usage(input_uncached=1_000_000, batch=True)): "100",
        attempt(cents="7", outcome=AttemptOutcome.RETRYABLE): "200",
    }
    books.book(*expected)
    assert report(aico("reprice", "--tenant", books.name, "--json"))["changed"] == len(expected)
    assert books.costs() == {one.id: Decimal(cents) for one, cents in expected.items()}
    versions = books.ask("select distinct price_version from ledger_attempts where tenant_id = %(tenant)s")
    assert {row["price_version"] for row in versions} == {
        f"override openai_compatible/org/house from 2026-0{month}-01" for month in (5, 6)
    }


def test_sums_are_what_the_ledger_adds_up_to(aico: Aico, books: Books) -> None:
    own = attempt(key_source=KeySource.TENANT, cents="3")
    books.book(attempt(), own, attempt(cents="1"), attempt(JUNE), baseline=Baseline(model="gpt-5.4", cost_cents=None))
    books.book(attempt(cents="5"), attempt(), baseline=Baseline(model="gpt-5.4", cost_cents=Decimal(9)))
    assert books.sums_off_the_ledger() == []
    report(aico("reprice", "--tenant", books.name, "--json"))
    assert books.sums_off_the_ledger() == []
    (day,) = books.ask(
        "select cost_cents, own_key_cents, baseline_cost_cents, unpriced from rollups"
        " where tenant_id = %(tenant)s and grain = 'day' and bucket = '2026-05-20Z'"
    )
    assert day == {"cost_cents": 1000, "own_key_cents": 200, "baseline_cost_cents": 5 * 500, "unpriced": 0}


def test_arms_are_told_what_all_of_their_jobs_attempts_cost_now(aico: Aico, books: Books) -> None:
    failed = attempt(cents="1", outcome=AttemptOutcome.RETRYABLE, usage=Usage(output=500_000))
    baseline = Baseline(model="gpt-5.4", cost_cents=Decimal(9))
    books.book(failed, attempt(), baseline=baseline, arms=("holdout/routed", "test/b"))
    books.book(attempt(JUNE, cents="30"), arms=("test/b",))
    books.book(attempt(cents="5"))
    report(aico("reprice", "--tenant", books.name, "--until", "2026-06-01", "--json"))
    assert books.arms() == [
        arm("holdout/routed", 400, 500),  # 200 for the call that failed, 200 for the one that answered
        arm("test/b", 400, 500),
        arm("test/b", 30, 0),
    ]
    report(aico("reprice", "--tenant", books.name, "--json"))
    assert books.arms()[-1] == arm("test/b", 100, 0)
    assert books.sums_off_the_ledger() == []


def arm(name: str, cents: int, baseline: int) -> dict[str, Any]:
    """Of one job in a day, whose price is known."""
    return {"arm": name, "unpriced": 0, "cents": cents, "cents_squared": cents**2, "baseline_cents": baseline}


def test_shadows_and_judges_are_priced_again_too(aico: Aico, books: Books) -> None:
    asked = [attempt(kind=kind) for kind in (AttemptKind.SHADOW, AttemptKind.JUDGE)]
    books.book(*asked)
    assert report(aico("reprice", "--tenant", books.name, "--json"))["changed"] == 2
    assert set(books.costs().values()) == {200}
    assert books.sums_off_the_ledger() == []


def test_what_stood_there_before_is_kept_and_the_audit_log_says_so(aico: Aico, books: Books) -> None:
    first, second = attempt(), attempt(cents="12.5")
    books.book(first, second)
    run = report(aico("reprice", "--tenant", books.name, "--json"))["run"]
    kept = books.ask("select * from ledger_corrections where tenant_id = %(tenant)s")
    assert {(row["attempt_id"], row["cost_cents"], row["price_version"], str(row["run"])) for row in kept} == {
        (first.id, None, None, run),
        (second.id, Decimal("12.5"), "then", run),
    }
    logged = audit.page(books.tenant.id, action="ledger.repriced", limit=10)
    (entry,) = books.database.run(Scope.tenant(books.tenant.id), logged)
    assert (entry.actor, entry.subject) == ("operator", run)
    assert (entry.detail["attempts"], entry.detail["cents_before"], entry.detail["cents_after"]) == (
        *(2, "12.500000", "400.000000"),
    )


def test_a_dry_run_shows_the_differences_and_changes_nothing(aico: Aico, books: Books) -> None:
    books.book(attempt(), attempt(cents="150"))
    before = books.costs()
    shown = report(aico("reprice", "--tenant", books.name, "--dry-run", "--json"))
    assert shown == {
        "run": None,
        "dry_run": True,
        "changed": 2,
        "models": [
            {
                "provider": "openai_compatible",
                "model": "house",
                "calls": 2,
                "changed": 2,
                "cents_before": "150",
                "cents_after": "400",
                "cents_difference": "250",
                "unpriced_before": 1,
                "unpriced_after": 0,
            }
        ],
    }
    assert books.costs() == before
    assert books.ask("select from ledger_corrections where tenant_id = %(tenant)s") == []
    table = aico("reprice", "--tenant", books.name, "--dry-run")
    assert "$2.50" in table.out
    assert "1 → 0" in table.out
    assert "nothing was changed" in table.err
    assert "reported to Stripe stay as they are" in table.err


def test_doing_it_again_changes_nothing(aico: Aico, books: Books) -> None:
    books.book(attempt(), attempt(JUNE))
    assert report(aico("reprice", "--tenant", books.name, "--json"))["changed"] == 2
    assert report(aico("reprice", "--tenant", books.name, "--json"))["changed"] == 0
    assert len(books.ask("select from ledger_corrections where tenant_id = %(tenant)s")) == 2


def test_only_what_is_selected_is_priced_again(aico: Aico, books: Books) -> None:
    unpriced, wrong, later = attempt(), attempt(cents="1"), attempt(JUNE)
    other = attempt(provider="local", model="smollm2-135m", cents="9")
    books.book(unpriced, wrong, later, other)
    run = ("reprice", "--tenant", books.name)
    report(aico(*run, "--unpriced-only", "--until", "2026-06-01", "--json"))
    after_the_first = {unpriced.id: 200, wrong.id: 1, later.id: None, other.id: 9}
    assert books.costs() == after_the_first
    report(aico(*run, "--since", "2026-06-01", "--json"))
    assert books.costs() == {**after_the_first, later.id: 100}
    report(aico(*run, "--model", "house", "--json"))
    assert books.costs() == {unpriced.id: 200, wrong.id: 200, later.id: 100, other.id: 9}


def test_hits_answers_without_usage_and_models_without_a_price_keep_what_they_have(aico: Aico, books: Books) -> None:
    kept = {
        attempt(usage=Usage()): None,
        attempt(kind=AttemptKind.SEMANTIC_HIT, cents="0"): 0,
        attempt(model="gone", cents="4"): 4,
        attempt(outcome=AttemptOutcome.LOST, usage=Usage(), cents="6", price_version="estimate"): 6,
    }
    books.book(*kept)
    assert report(aico("reprice", "--tenant", books.name, "--json"))["changed"] == 0
    assert books.costs() == {one.id: cents for one, cents in kept.items()}


def test_all_tenants_are_gone_through_page_by_page(
    aico: Aico, books: Books, make_books: Callable[[], Books], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reprice, "PAGE", 2)
    monkeypatch.setattr(reprice, "_TENANTS", 3)
    other = make_books()
    first = datetime(2026, 5, 1, tzinfo=UTC)  # of no other test
    books.book(*(attempt(first) for _ in range(5)))
    other.book(attempt(first))
    assert report(aico("reprice", "--all", "--until", "2026-05-02", "--json"))["changed"] == 6
    for one in (books, other):
        assert set(one.costs().values()) == {200}
        assert one.sums_off_the_ledger() == []
    entries = books.ask("select subject from audit_log where tenant_id = %(tenant)s and action = 'ledger.repriced'")
    assert len(entries) == 3, "one for each transaction"
    assert len({entry["subject"] for entry in entries}) == 1


def test_another_tenants_attempts_stay_as_they_are(aico: Aico, books: Books, make_books: Callable[[], Books]) -> None:
    other = make_books()
    other.book(attempt())
    assert report(aico("reprice", "--tenant", books.name, "--json"))["models"] == []
    assert set(other.costs().values()) == {None}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "give either --tenant or --all"),
        (("--tenant", "x", "--all"), "give either --tenant or --all"),
        (("--all", "--since", "2026-06-02", "--until", "2026-06-01"), "--since must be before --until"),
        (("--all", "--since", "yesterday"), "is no date and time"),
    ],
)
def test_what_makes_no_sense_is_refused(aico: Aico, books: Books, arguments: tuple[str, ...], complaint: str) -> None:
    outcome = aico("reprice", *arguments)
    assert outcome.code == 2
    assert complaint in outcome.err.replace("\n", " ")


def test_a_tenant_that_is_not_there_is_said(aico: Aico, books: Books) -> None:
    outcome = aico("reprice", "--tenant", "nobody")
    assert (outcome.code, outcome.out) == (1, "")
    assert "there is no tenant named 'nobody'" in outcome.err


def test_whoever_acts_for_another_tenant_changes_nothing(books: Books, make_books: Callable[[], Books]) -> None:
    call = attempt()
    books.book(call)
    (booked,) = books.database.run(
        Scope.tenant(books.tenant.id),
        repricing.page(books.tenant.id, repricing.Selection(MAY, JUNE), after=None, limit=10),
    )
    dear = [Correction(booked, Charge(Decimal(999), "forged", None))]
    stranger = Scope.tenant(make_books().tenant.id)
    assert books.database.run(stranger, repricing.correct(books.tenant.id, new_id(), "x", dear)) == [0]
    assert books.costs() == {call.id: None}
