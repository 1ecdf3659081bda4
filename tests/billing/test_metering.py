"""Use is reported once, whatever is cut off in between, and what is booked late is reported too."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from billing.conftest import Books, Clock
from billing.stripe_server import StripeServer

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, KeySource
from aico.core.errors import Unavailable
from aico.core.ids import new_id
from aico.core.metering import REMEMBERED, closed_before, moment_of
from aico.core.repricing import Charge, Correction
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.store import repricing, usage_reports
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers.billing import Biller

NINETEENTH, TWENTIETH = date(2026, 11, 19), date(2026, 11, 20)


class CutOffError(Exception):
    """The process died here."""


def test_a_closed_day_is_reported_under_an_identifier_of_its_own(
    books: Books, biller: Biller, stripe_there: StripeServer
) -> None:
    books.metered(NINETEENTH)
    books.book(NINETEENTH, tokens=1200, cents="3.75")
    books.book(NINETEENTH, tokens=9999, kind="exact_hit")
    books.book(TWENTIETH, tokens=50)
    assert biller.report(books.tenant.id) == 2
    cents, tokens = stripe_there.posts("/v1/billing/meter_events")
    assert tokens.form == {
        "event_name": "aico_tokens",
        "identifier": f"aico:{books.tenant.id}:2026-11-19:tokens:0",
        "timestamp": str(moment_of(NINETEENTH)),
        "payload[stripe_customer_id]": books.customer,
        "payload[value]": "1200",
    }
    assert tokens.key == tokens.form["identifier"]
    assert (cents.form["event_name"], cents.form["payload[value]"]) == ("aico_cents", "3")
    assert biller.report(books.tenant.id) == 0
    assert len(stripe_there.posts("/v1/billing/meter_events")) == 2


def test_what_is_booked_late_and_the_rest_of_a_cent_make_another_report(books: Books, biller: Biller) -> None:
    books.metered(NINETEENTH)
    books.book(NINETEENTH, tokens=1000, cents="3.75")
    biller.report(books.tenant.id)
    books.book(NINETEENTH, tokens=30, cents="0.5")
    biller.report(books.tenant.id)
    assert books.reports() == [
        (NINETEENTH, "cents", 0, 3, True),
        (NINETEENTH, "cents", 1, 1, True),
        (NINETEENTH, "tokens", 0, 1000, True),
        (NINETEENTH, "tokens", 1, 30, True),
    ]


def test_a_closed_day_that_is_priced_again_is_not_reported_again(books: Books, biller: Biller) -> None:
    books.metered(NINETEENTH)
    first = called(KeySource.OPERATOR, "3")
    books.meter(first)
    biller.report(books.tenant.id)
    scope, tenant = Scope.tenant(books.tenant.id), books.tenant.id
    selected = repricing.Selection(first.at - timedelta(hours=1), first.at + timedelta(hours=1))
    (call,) = books.database.run(scope, repricing.page(tenant, selected, after=None, limit=10))
    dearer = Correction(call, Charge(Decimal(40), "now", None))
    assert books.database.run(scope, repricing.correct(tenant, new_id(), "operator", [dearer])) == [1]
    assert biller.report(tenant) == 0
    books.meter(called(KeySource.OPERATOR, "2"))  # late, at its own price
    biller.report(tenant)
    assert [(part, cents) for _, unit, part, cents, _ in books.reports() if unit == "cents"] == [(0, 3), (1, 2)]


def test_what_was_called_with_the_tenants_own_keys_is_not_charged_for(
    books: Books, biller: Biller, database: Database
) -> None:
    books.metered(NINETEENTH)
    books.meter(called(KeySource.TENANT, "7"), called(KeySource.OPERATOR, "2"))
    biller.report(books.tenant.id)
    assert books.reports() == [(NINETEENTH, "cents", 0, 2, True), (NINETEENTH, "tokens", 0, 26, True)]


def called(key_source: KeySource, cents: str) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.combine(NINETEENTH, time(12), UTC),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.OK,
        provider="openai",
        model="m",
        latency_ms=1,
        usage=Usage(input_uncached=10, output=3),
        cost_cents=Decimal(cents),
        key_source=key_source,
    )


@pytest.mark.parametrize(("hour", "minute", "closed"), [(0, 59, NINETEENTH), (1, 0, TWENTIETH), (23, 0, TWENTIETH)])
def test_a_day_is_closed_an_hour_after_it_is_over(hour: int, minute: int, closed: date) -> None:
    assert closed_before(datetime(2026, 11, 20, hour, minute, tzinfo=UTC)) == closed


def test_only_whole_days_of_a_subscription_and_days_that_stripe_still_takes_are_reported(
    books: Books, biller: Biller, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    for day in (date(2026, 10, 1), date(2026, 11, 10), NINETEENTH, TWENTIETH, date(2026, 11, 21)):
        books.book(day, tokens=10)
    books.metered(date(2026, 9, 1), until=date(2026, 11, 21))
    biller.report(books.tenant.id)
    assert [(day, quantity) for day, _, _, quantity, _ in books.reports()] == [
        (date(2026, 11, 10), 10),
        (NINETEENTH, 10),
        (TWENTIETH, 10),
    ]


def test_who_has_no_subscription_is_not_metered(books: Books, biller: Biller) -> None:
    books.book(NINETEENTH, tokens=10)
    assert biller.report(books.tenant.id) == 0
    assert books.reports() == []


def test_a_process_that_dies_between_sending_and_marking_does_not_count_twice(
    books: Books, biller: Biller, stripe_there: StripeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.metered(NINETEENTH)
    books.book(NINETEENTH, tokens=1200)

    def die(*_: object) -> None:
        raise CutOffError

    with monkeypatch.context() as patched:
        patched.setattr("aico.store.usage_reports.sent", die)
        with pytest.raises(CutOffError):
            biller.report(books.tenant.id)
    assert [sent for *_, sent in books.reports()] == [False]
    books.book(NINETEENTH, tokens=5)  # what comes meanwhile does not become part of it
    assert biller.report(books.tenant.id) == 2
    first, again, later = stripe_there.posts("/v1/billing/meter_events")
    assert (first.form, first.key) == (again.form, again.key)
    assert later.form["identifier"] != first.form["identifier"]
    assert stripe_there.used[books.customer] == 1205


def test_a_reply_that_is_lost_does_not_count_twice(books: Books, biller: Biller, stripe_there: StripeServer) -> None:
    books.metered(NINETEENTH)
    books.book(NINETEENTH, tokens=1200)
    stripe_there.hangs_up = True
    with pytest.raises(Unavailable):
        biller.report(books.tenant.id)
    assert [sent for *_, sent in books.reports()] == [False]
    stripe_there.hangs_up = False
    stripe_there.replies.clear()  # Stripe forgets the key of the request before it forgets the identifier
    assert biller.report(books.tenant.id) == 1
    assert stripe_there.used[books.customer] == 1200
    assert [sent for *_, sent in books.reports()] == [True]


def test_two_reporters_at_once_count_once(books: Books, biller: Biller, stripe_there: StripeServer) -> None:
    books.metered(NINETEENTH)
    books.book(NINETEENTH, tokens=1200)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: biller.report(books.tenant.id), range(4)))
    assert books.reports() == [(NINETEENTH, "tokens", 0, 1200, True)]
    assert stripe_there.used[books.customer] == 1200


def test_a_report_that_stripe_may_have_forgotten_waits_for_somebody_to_look(
    books: Books, biller: Biller, stripe_there: StripeServer, database: Database, clock: Clock
) -> None:
    tenant, scope = books.tenant.id, Scope.tenant(books.tenant.id)
    clock.now = datetime.now(UTC)
    day = closed_before(clock.now) - timedelta(days=1)
    books.metered(day)
    books.book(day, tokens=1200)
    stripe_there.hangs_up = True
    with pytest.raises(Unavailable):
        biller.report(tenant)
    stripe_there.hangs_up = False
    clock.now += REMEMBERED + timedelta(minutes=1)
    stripe_there.calls.clear()
    assert biller.report(tenant) == 0
    assert stripe_there.calls == []
    (report,) = database.run(scope, usage_reports.unsent(tenant))
    assert database.run(scope, usage_reports.settle(tenant, report.identifier, "operator", arrived=True))
    assert books.reports() == [(day, "tokens", 0, 1200, True)]


def test_a_report_that_was_lost_is_sent_again(
    books: Books, biller: Biller, stripe_there: StripeServer, database: Database
) -> None:
    tenant, scope = books.tenant.id, Scope.tenant(books.tenant.id)
    books.metered(NINETEENTH)
    books.book(NINETEENTH, tokens=1200)
    stripe_there.down = True
    with pytest.raises(Unavailable):
        biller.report(tenant)
    stripe_there.down = False
    (report,) = database.run(scope, usage_reports.unsent(tenant))
    assert report.tried_at is not None
    assert database.run(scope, usage_reports.settle(tenant, report.identifier, "operator", arrived=False))
    assert biller.report(tenant) == 1
    assert database.run(scope, usage_reports.settle(tenant, report.identifier, "operator", arrived=False)) == []
    assert stripe_there.used[books.customer] == 1200


def test_a_step_looks_again_where_an_event_may_have_been_lost_and_reports_use(
    books: Books, biller: Biller, stripe_there: StripeServer, clock: Clock
) -> None:
    clock.now = datetime.now(UTC)
    stripe_there.subscribe(books.customer, "price_pro")
    plan = "select plan from public.tenants where id = %s"
    biller.step()
    assert books.admin.execute(plan, (books.tenant.id,)).fetchone() == (None,)
    books.admin.execute(
        "update public.billing_accounts set synced_at = now() - interval '2 days' where tenant_id = %s",
        (books.tenant.id,),
    )
    biller.step()
    assert books.admin.execute(plan, (books.tenant.id,)).fetchone() == ("pro",)
    day = closed_before(clock.now) - timedelta(days=1)
    books.metered(day)
    books.book(day, tokens=7)
    biller.step()
    assert stripe_there.used[books.customer] == 0  # it has been looked within the hour
    books.admin.execute(
        "update public.billing_accounts set metered_at = now() - interval '1 hour' where tenant_id = %s",
        (books.tenant.id,),
    )
    biller.step()
    assert stripe_there.used[books.customer] == 7


def test_what_is_owed_too_long_ends_the_plan_without_an_event(
    books: Books, biller: Biller, stripe_there: StripeServer, clock: Clock
) -> None:
    clock.now = datetime.now(UTC)
    stripe_there.subscribe(books.customer, "price_pro", "past_due")
    biller.sync(books.tenant.id)
    plan = "select plan from public.tenants where id = %s"
    assert books.admin.execute(plan, (books.tenant.id,)).fetchone() == ("pro",)
    books.admin.execute(
        "update public.billing_accounts set overdue_since = now() - interval '8 days',"
        " synced_at = now() - interval '2 days' where tenant_id = %s",
        (books.tenant.id,),
    )
    biller.step()
    assert books.admin.execute(plan, (books.tenant.id,)).fetchone() == ("free",)


def test_a_new_subscription_is_metered_from_the_next_day_to_the_day_it_ends(
    books: Books, biller: Biller, stripe_there: StripeServer, billing_settings: Settings
) -> None:
    span = "select metered_from, metered_until from public.billing_accounts where tenant_id = %s"
    stripe_there.subscribe(books.customer, "price_pro")
    biller.sync(books.tenant.id)
    today = datetime.now(UTC).date()
    assert books.admin.execute(span, (books.tenant.id,)).fetchone() == (today + timedelta(days=1), None)
    stripe_there.cancel(books.customer)
    biller.sync(books.tenant.id)
    assert books.admin.execute(span, (books.tenant.id,)).fetchone() == (today + timedelta(days=1), today)
