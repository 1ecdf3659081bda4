"""Checkout and the portal: who is sent where, and who is not."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from api.billing.conftest import APP, CHECKOUT, Shop, owner
from api.conftest import Connect, assert_problem, serving
from conftest import Tenant

from aico.core.settings import Settings
from aico.store.blocking import Database

CHECKOUT_PATH, PORTAL_PATH = "/v1/billing/checkout", "/v1/billing/portal"


def test_without_a_key_of_stripes_nobody_can_pay(connect: Connect, base_settings: Settings, database: Database) -> None:
    with serving(base_settings.model_copy(update={"cors_origins": (APP,)})) as url:
        client = connect(url, owner(database).key)
        for response in (
            client.post(CHECKOUT_PATH, json=CHECKOUT),
            client.post(PORTAL_PATH, json={"return_url": APP}),
            connect(url).post("/webhooks/stripe", content=b"{}"),
        ):
            assert "STRIPE_API_KEY" in assert_problem(response, 409, "conflict")["detail"]
        shown = client.get("/v1/billing").json()
    assert (shown["enabled"], shown["plan"], shown["subscription"]) == (False, None, None)


def test_where_no_origin_is_named_nobody_is_sent_anywhere(connect: Connect, service: str, database: Database) -> None:
    response = connect(service, owner(database).key).post(CHECKOUT_PATH, json=CHECKOUT)
    assert "BILLING_RETURN_ORIGINS" in assert_problem(response, 422)["detail"]


def test_without_a_key_stripes_library_is_not_imported() -> None:
    probe = "import sys, aico.api.app, aico.workers.sweep, aico.cli.billing; print('stripe' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_a_key_without_the_scope_sees_nothing_and_pays_nothing(shop: Shop, connect: Connect, tenant: Tenant) -> None:
    client = connect(str(shop.client.base_url), tenant.key)
    for response in (
        client.get("/v1/billing"),
        client.get("/v1/billing/share"),
        client.post(CHECKOUT_PATH, json=CHECKOUT),
        client.post(PORTAL_PATH, json={"return_url": APP}),
    ):
        assert_problem(response, 403, "forbidden")
    assert shop.stripe.calls == []


def test_a_checkout_sells_the_plan_to_a_customer_of_the_tenants_own(shop: Shop) -> None:
    page = shop.client.post(CHECKOUT_PATH, json=CHECKOUT)
    assert page.json()["url"].startswith("https://checkout.stripe.com/")
    (sold,) = shop.stripe.posts("/v1/checkout/sessions")
    (customer,) = [one for one in shop.stripe.customers if one == sold.form["customer"]]
    assert shop.stripe.customers[customer]["name"] == f"tenant {shop.tenant.id}"
    assert sold.form["line_items[0][price]"] == "price_pro"
    assert sold.form["mode"] == "subscription"
    assert sold.form["client_reference_id"] == str(shop.tenant.id)
    assert (sold.form["success_url"], sold.form["cancel_url"]) == (CHECKOUT["success_url"], CHECKOUT["cancel_url"])
    actor = f"key:{shop.tenant.key_id}"
    assert shop.audited() == [(actor, "billing.account_opened"), (actor, "billing.checkout_opened")]
    assert shop.plan() is None  # nothing is paid yet


def test_every_change_at_stripe_has_an_idempotency_key(shop: Shop) -> None:
    shop.customer()
    shop.customer()
    shop.client.post(PORTAL_PATH, json={"return_url": APP}).raise_for_status()
    posts = [call for call in shop.stripe.calls if call.method == "POST"]
    assert len(posts) == 4  # one customer, three pages
    assert len({call.key for call in posts}) == 4
    assert None not in {call.key for call in posts}


def test_two_checkouts_at_once_open_one_account(shop: Shop) -> None:
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda _: shop.client.post(CHECKOUT_PATH, json=CHECKOUT), range(2)))
    assert [page.status_code for page in pages] == [200, 200]
    customers = {call.form["customer"] for call in shop.stripe.posts("/v1/checkout/sessions")}
    assert len(customers) == 1
    assert shop.audited().count((f"key:{shop.tenant.key_id}", "billing.account_opened")) == 1


def test_the_portal_is_the_own_customers(shop: Shop) -> None:
    assert_problem(shop.client.post(PORTAL_PATH, json={"return_url": APP}), 409, "conflict")
    customer = shop.customer()
    page = shop.client.post(PORTAL_PATH, json={"return_url": f"{APP}/billing?tab=1"})
    assert page.json()["url"].startswith("https://portal.stripe.com/")
    (opened,) = shop.stripe.posts("/v1/billing_portal/sessions")
    assert opened.form == {"customer": customer, "return_url": f"{APP}/billing?tab=1"}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/",
        "https://app.example.com.evil.com/",
        "https://app.example.com@evil.com/",
        "https://user:secret@app.example.com/",
        "https://evil.com\\@app.example.com/",
        "https://app.example.com\\.evil.com/",
        "https://evil.com#@app.example.com/",
        "https://app.example.com:8443/",
        "http://app.example.com/",
        "//app.example.com/",
        "https:app.example.com",
        "javascript:alert(1)//https://app.example.com",
        "https://app.example.com/\x00",
        "https://app.example.com/\r\nSet-Cookie: a=b",
        " https://app.example.com/",
        "https://ápp.example.com/",
        "https://[app.example.com/",
        "https://app.example.com:x/",
        f"{APP}/{'a' * 2000}",
    ],
)
def test_nobody_is_sent_to_a_page_that_the_operator_has_not_named(shop: Shop, url: str) -> None:
    for field in ("success_url", "cancel_url"):
        body = assert_problem(shop.client.post(CHECKOUT_PATH, json={**CHECKOUT, field: url}), 422)
        assert body["param"] == field
    assert_problem(shop.client.post(PORTAL_PATH, json={"return_url": url}), 422)
    assert shop.stripe.calls == []


@pytest.mark.parametrize("url", ["HTTPS://APP.example.com:443/a?b=c#d", "http://localhost:3000/", APP])
def test_pages_that_the_operator_has_named_are_returned_to(shop: Shop, url: str) -> None:
    assert shop.client.post(CHECKOUT_PATH, json={**CHECKOUT, "success_url": url}).status_code == 200


@pytest.mark.parametrize("plan", ["free", "enterprise", "gold", None])
def test_only_what_has_a_price_is_sold(shop: Shop, plan: str | None) -> None:
    assert_problem(shop.client.post(CHECKOUT_PATH, json={**CHECKOUT, "plan": plan}), 422)
    assert shop.stripe.calls == []


def test_who_is_subscribed_changes_that_in_the_portal(shop: Shop) -> None:
    customer = shop.customer()
    shop.admin.execute(
        "update public.billing_accounts set status = 'past_due' where stripe_customer_id = %s", (customer,)
    )
    assert "portal" in assert_problem(shop.client.post(CHECKOUT_PATH, json=CHECKOUT), 409, "conflict")["detail"]
    shop.admin.execute(
        "update public.billing_accounts set status = 'canceled' where stripe_customer_id = %s", (customer,)
    )
    assert shop.client.post(CHECKOUT_PATH, json=CHECKOUT).status_code == 200


def test_a_stripe_that_fails_is_a_503_and_one_that_refuses_a_409(shop: Shop) -> None:
    customer = shop.customer()
    del shop.stripe.customers[customer]
    refused = assert_problem(shop.client.post(CHECKOUT_PATH, json=CHECKOUT), 409, "conflict")
    assert refused["detail"] == "the payment service refuses this: resource_missing"
    shop.stripe.down = True
    try:
        response = shop.client.post(CHECKOUT_PATH, json=CHECKOUT)
    finally:
        shop.stripe.down = False
    assert_problem(response, 503, "unavailable")
