"""Stripe's library against localstripe: a customer, a subscription, and the events that localstripe signs and sends."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
import stripe
from api.billing.conftest import SECRET, owner
from api.conftest import Connect, serving, wait_until
from conftest import Tenant, running, unavailable
from pydantic import SecretStr

from aico.billing.factory import load_gateway
from aico.billing.protocol import Checkout, Gateway
from aico.core.errors import Conflict
from aico.core.plans import Plan
from aico.core.settings import Settings
from aico.embedded.child import ProcessSpec
from aico.embedded.ports import LOOPBACK, free_port
from aico.embedded.process import Command
from aico.store import billing
from aico.store.blocking import Database
from aico.store.scope import Scope

PROGRAM = Path(__file__).parents[3] / ".venv/third-party/python/bin/localstripe"
KEY = "sk_test_localstripe"


def _answers(url: str) -> bool:
    try:
        httpx2.get(url, timeout=2)
    except httpx2.HTTPError:
        return False
    return True


@pytest.fixture(scope="module")
def localstripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not PROGRAM.is_file():
        unavailable("localstripe is not installed: `make test` does it")
    port = free_port(0)
    url = f"http://{LOOPBACK}:{port}"
    command = Command((str(PROGRAM), "--port", str(port), "--from-scratch"), env=dict(os.environ))
    log = tmp_path_factory.mktemp("localstripe") / "log"
    with running(ProcessSpec("localstripe", command, ready=lambda: _answers(url)), log):
        yield url


@pytest.fixture(scope="module")
def local_settings(base_settings: Settings, localstripe: str) -> Settings:
    return base_settings.model_copy(
        update={
            "stripe_api_key": SecretStr(KEY),
            "stripe_webhook_secret": SecretStr(SECRET),
            "stripe_api_base": localstripe,
            "stripe_prices": ("pro:plan_pro", "business:plan_business"),
        }
    )


@pytest.fixture(scope="module")
def gateway(local_settings: Settings) -> Gateway:
    loaded = load_gateway(local_settings)
    assert loaded is not None
    return loaded


@pytest.fixture(scope="module")
def operator(localstripe: str) -> stripe.StripeClient:
    """As whoever keeps the Stripe account: has made the plans."""
    client = stripe.StripeClient(KEY, base_addresses={"api": localstripe})
    for plan in ("pro", "business"):
        client.v1.plans.create(
            {"id": f"plan_{plan}", "amount": 0, "currency": "usd", "interval": "month", "product": {"name": plan}}
        )
    return client


@pytest.fixture
def subscriber(database: Database) -> Tenant:
    return owner(database)


def test_a_subscription_at_localstripe_becomes_the_tenants_plan_by_its_own_events(
    local_settings: Settings,
    localstripe: str,
    gateway: Gateway,
    operator: stripe.StripeClient,
    subscriber: Tenant,
    database: Database,
    admin: psycopg.Connection[object],
    connect: Connect,
) -> None:
    customer = gateway.create_customer(subscriber.id, "a customer")
    database.run(Scope.tenant(subscriber.id), billing.open_account(subscriber.id, customer, "operator"))

    def plan() -> object:
        (account,) = database.run(Scope.tenant(subscriber.id), billing.account(subscriber.id))
        return account.tenant_plan

    with serving(local_settings) as url:
        hook = {"url": f"{url}/webhooks/stripe", "secret": SECRET}
        httpx2.post(f"{localstripe}/_config/webhooks/aico", json=hook).raise_for_status()
        subscription = operator.v1.subscriptions.create({"customer": customer, "items": [{"plan": "plan_pro"}]})
        wait_until(lambda: plan() is Plan.PRO)
        shown = connect(url, subscriber.key).get("/v1/billing").json()
        assert shown["subscription"]["id"] == subscription.id
        assert shown["subscription"]["status"] == "active"
        assert shown["subscription"]["period_end"] is not None
        operator.v1.subscriptions.cancel(subscription.id)
        wait_until(lambda: plan() is Plan.FREE)
        assert connect(url, subscriber.key).get("/v1/billing").json()["subscription"]["status"] == "canceled"


def test_a_subscription_is_read_as_localstripe_has_it(
    gateway: Gateway, operator: stripe.StripeClient, subscriber: Tenant
) -> None:
    customer = gateway.create_customer(subscriber.id, "another customer")
    assert gateway.subscriptions(customer) == []
    made = operator.v1.subscriptions.create({"customer": customer, "items": [{"plan": "plan_business"}]})
    (found,) = gateway.subscriptions(customer)
    assert (found.id, found.status, found.prices) == (made.id, "active", frozenset({"plan_business"}))


def test_localstripe_has_no_checkout_and_what_it_refuses_is_a_conflict(gateway: Gateway, subscriber: Tenant) -> None:
    with pytest.raises(Conflict, match="refuses"):
        gateway.checkout(Checkout(subscriber.id, "cus_x", Plan.PRO, "https://a.example", "https://a.example"))
