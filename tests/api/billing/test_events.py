"""Stripe's events: what is believed, and what becomes of a tenant's plan."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx2
import pytest
import stripe
from api.billing.conftest import SECRET, Shop, event, owner
from api.conftest import Connect, assert_problem
from billing.stripe_server import PERIOD

from aico.core.billing import Standing
from aico.core.plans import Plan
from aico.store import billing, tenants
from aico.store.blocking import Database
from aico.store.scope import Scope

HANDLED, IGNORED = {"handled": True}, {"handled": False}


def told(response: httpx2.Response) -> dict[str, bool]:
    assert response.status_code == 200, response.text
    body: dict[str, bool] = response.json()
    return body


def test_a_subscription_grants_its_plan_at_once(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_business")
    assert told(shop.tell(event(customer, "customer.subscription.created"))) == HANDLED
    assert shop.plan() == "business"
    shown = shop.client.get("/v1/billing").json()
    assert shown["plan"] == "business"
    assert shown["usage"]["monthly_tokens"] == 10_000_000
    subscription = shown["subscription"]
    assert (subscription["id"], subscription["status"]) == ("sub_1", "active")
    period = (subscription["period_start"], subscription["period_end"])
    assert tuple(datetime.fromisoformat(moment).timestamp() for moment in period) == PERIOD
    assert shop.audited()[-1] == ("stripe", "subscription.changed")


def test_what_counts_is_how_it_stands_and_not_what_an_event_says(shop: Shop) -> None:
    """Events that come in the wrong order tell of what is no more."""
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    told(shop.tell(event(customer)))
    shop.stripe.cancel(customer)
    assert told(shop.tell(event(customer, "customer.subscription.deleted"))) == HANDLED
    assert shop.plan() == "free"
    told(shop.tell(event(customer, "customer.subscription.created")))  # late
    assert shop.plan() == "free"
    assert shop.client.get("/v1/billing").json()["subscription"]["status"] == "canceled"


def test_an_event_that_comes_again_changes_nothing_and_asks_nothing(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    body = event(customer)
    assert told(shop.tell(body)) == HANDLED
    before = shop.audited()
    shop.stripe.calls.clear()
    shop.stripe.cancel(customer)
    assert told(shop.tell(body)) == IGNORED
    assert shop.stripe.calls == []
    assert shop.plan() == "pro"
    assert shop.audited() == before


def test_the_same_event_twice_at_once_is_acted_upon_once(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    body = event(customer)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.tell(body), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert shop.plan() == "pro"
    assert shop.audited().count(("stripe", "subscription.changed")) == 1
    assert shop.row("select count(*) from public.stripe_events where tenant_id = %s") == (1,)


def test_of_two_looks_at_stripe_the_one_that_began_later_counts(shop: Shop, database: Database) -> None:
    shop.customer()
    tenant, scope = shop.tenant.id, Scope.tenant(shop.tenant.id)
    (earlier,) = database.run(scope, billing.begin_sync(tenant, None))
    (later,) = database.run(scope, billing.begin_sync(tenant, None))
    pro = Standing("active", "sub_1", Plan.PRO)
    assert database.run(scope, billing.apply(tenant, later, pro, None)) == [Plan.PRO]
    assert database.run(scope, billing.apply(tenant, earlier, Standing(plan=Plan.FREE), None)) == []
    assert shop.plan() == "pro"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=1"},
        {"Stripe-Signature": "v1=abc"},
        {"Stripe-Signature": f"t={'9' * 5000},v1=abc"},
        {"Stripe-Signature": "t=1,v1=\xe9".encode("latin-1")},
        {"Stripe-Signature": "t=x,v1=abc"},
        {"Authorization": "Bearer x"},
    ],
)
def test_what_stripe_has_not_signed_changes_nothing(shop: Shop, header: dict[str, str | bytes]) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    headers = httpx2.Headers(list(header.items()))  # type: ignore[arg-type]
    response = shop.strangers.post("/webhooks/stripe", content=event(customer).encode(), headers=headers)
    assert "Stripe-Signature" in assert_problem(response, 400, "invalid_input")["detail"]
    assert shop.plan() is None


def test_a_signature_is_of_this_secret_this_body_and_of_now(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    body = event(customer)
    assert_problem(shop.tell(body, secret="whsec_another"), 400)
    assert_problem(shop.tell(body, at=int(time.time()) - 301), 400)
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET)
    changed = body.replace("updated", "created").encode()
    headers = {"Stripe-Signature": signature}
    assert_problem(shop.strangers.post("/webhooks/stripe", content=changed, headers=headers), 400)
    assert shop.plan() is None
    assert told(shop.tell(body, at=int(time.time()) - 250)) == HANDLED


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"event"',
        "{}",
        '{"id": 1, "type": "a", "data": {"object": {}}}',
        '{"id": "evt", "type": "customer.subscription.created", "data": {"object": []}}',
        '{"id": "evt", "type": "customer.subscription.created", "data": null}',
    ],
)
def test_what_is_signed_and_no_event_is_refused(shop: Shop, body: str) -> None:
    assert_problem(shop.tell(body), 400, "invalid_input")


def test_a_body_that_is_no_text_or_too_long_is_refused(shop: Shop) -> None:
    headers = {"Stripe-Signature": "t=1,v1=a"}
    assert_problem(shop.strangers.post("/webhooks/stripe", content=b"\xff\xfe", headers=headers), 400)
    assert_problem(shop.tell(json.dumps({"id": "x" * 600_000})), 413, "payload_too_large")


def test_customers_of_others_and_other_events_are_taken_and_left_alone(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.calls.clear()
    assert told(shop.tell(event("cus_of_another_product"))) == IGNORED
    assert told(shop.tell(event(customer, "charge.succeeded"))) == IGNORED
    nobodys = json.dumps({"id": "evt", "type": "invoice.paid", "data": {"object": {"object": "invoice"}}})
    assert told(shop.tell(nobodys)) == IGNORED
    assert shop.stripe.calls == []


def test_an_event_touches_its_own_customers_tenant_alone(shop: Shop, connect: Connect, database: Database) -> None:
    other = owner(database)
    second = Shop(other, connect(str(shop.client.base_url), other.key), shop.strangers, shop.stripe, shop.admin)
    mine, others = shop.customer(), second.customer()
    assert mine != others
    shop.stripe.subscribe(others, "price_pro", subscription="sub_of_the_other")
    told(shop.tell(event(others)))
    assert (shop.plan(), second.plan()) == (None, "pro")
    told(shop.tell(event(mine)))
    assert (shop.plan(), second.plan()) == (None, "pro")


def test_while_stripe_does_not_answer_an_event_is_sent_back_and_acted_upon_later(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    body = event(customer)
    shop.stripe.down = True
    try:
        assert_problem(shop.tell(body), 503, "unavailable")
    finally:
        shop.stripe.down = False
    assert shop.plan() is None
    assert told(shop.tell(body)) == HANDLED
    assert shop.plan() == "pro"


def test_a_failed_payment_leaves_the_plan_for_a_while(shop: Shop) -> None:
    customer = shop.customer()
    for status, plan in (("active", "pro"), ("past_due", "pro"), ("unpaid", "free"), ("active", "pro")):
        shop.stripe.subscribe(customer, "price_pro", status)
        told(shop.tell(event(customer, "invoice.payment_failed")))
        assert shop.plan() == plan, status
    overdue = "select overdue_since from public.billing_accounts where tenant_id = %s"
    assert shop.row(overdue) == (None,)
    shop.stripe.subscribe(customer, "price_pro", "past_due")
    told(shop.tell(event(customer)))
    shop.admin.execute(
        "update public.billing_accounts set overdue_since = now() - interval '8 days' where stripe_customer_id = %s",
        (customer,),
    )
    told(shop.tell(event(customer)))
    assert shop.plan() == "free"
    assert shop.client.get("/v1/billing").json()["subscription"]["status"] == "past_due"


def test_an_unfinished_checkout_takes_nothing_away(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro", "incomplete")
    told(shop.tell(event(customer)))
    assert shop.plan() is None


def test_what_was_agreed_on_by_hand_outlasts_a_subscription(shop: Shop, database: Database) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    told(shop.tell(event(customer)))
    database.run(Scope.tenant(shop.tenant.id), tenants.set_plan(shop.tenant.id, Plan.ENTERPRISE))
    shop.stripe.cancel(customer)
    told(shop.tell(event(customer)))
    assert shop.plan() == "enterprise"


def test_a_customer_deleted_at_stripe_has_no_subscription(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    told(shop.tell(event(customer)))
    del shop.stripe.customers[customer]
    told(shop.tell(event(customer, "customer.subscription.deleted")))
    assert shop.plan() == "free"


def test_a_subscription_that_cannot_be_read_decides_nothing(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.subscribe(customer, "price_pro")
    told(shop.tell(event(customer)))
    del shop.stripe.subscriptions[customer][0]["items"]
    assert_problem(shop.tell(event(customer)), 503, "unavailable")
    assert shop.plan() == "pro"
