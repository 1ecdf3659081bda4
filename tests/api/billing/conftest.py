"""An API that takes payment, from a Stripe on this machine."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import psycopg
import pytest
import stripe
from api.conftest import Connect, serving
from billing.stripe_server import StripeServer, stripe_server
from conftest import Tenant, new_tenant

from aico.core.access import Permission
from aico.core.settings import Settings
from aico.store.blocking import Database

SECRET = "whsec_of_the_tests"
APP = "https://app.example.com"
CHECKOUT = {"plan": "pro", "success_url": f"{APP}/paid", "cancel_url": APP}
_numbers = count()


@pytest.fixture(scope="module")
def stripe_there() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture(scope="module")
def billing_settings(base_settings: Settings, stripe_there: StripeServer) -> Settings:
    return base_settings.model_copy(
        update={
            "stripe_api_key": type(base_settings.redis_url)("sk_test_1234567890"),
            "stripe_webhook_secret": type(base_settings.redis_url)(SECRET),
            "stripe_api_base": stripe_there.url,
            "stripe_prices": ("pro:price_pro", "business:price_business"),
            "stripe_meter_events": ("tokens:aico_tokens",),
            "billing_return_origins": (APP, "http://localhost:3000"),
        }
    )


@pytest.fixture(scope="module")
def paid_service(billing_settings: Settings) -> Iterator[str]:
    with serving(billing_settings) as url:
        yield url


def owner(database: Database) -> Tenant:
    """A tenant, with a key that may do everything with its billing."""
    return new_tenant(database, (Permission.BILLING_WRITE, Permission.PROMPTS_READ))


@dataclass(frozen=True)
class Shop:
    """One tenant's side of it, and Stripe's."""

    tenant: Tenant
    client: httpx2.Client
    strangers: httpx2.Client  # without a credential
    stripe: StripeServer
    admin: psycopg.Connection[Any]
    sent: list[str] = field(default_factory=list)

    def customer(self) -> str:
        """Opened by a checkout."""
        self.client.post("/v1/billing/checkout", json=CHECKOUT).raise_for_status()
        return str(self.row("select stripe_customer_id from public.billing_accounts where tenant_id = %s")[0])

    def row(self, query: str) -> tuple[Any, ...]:
        found = self.admin.execute(query.encode(), (self.tenant.id,)).fetchone()
        assert found is not None
        return tuple(found)

    def plan(self) -> str | None:
        found: str | None = self.row("select plan from public.tenants where id = %s")[0]
        return found

    def audited(self) -> list[tuple[str, str]]:
        rows = self.admin.execute(
            "select actor, action from public.audit_log where tenant_id = %s order by at", (self.tenant.id,)
        )
        return [(actor, action) for actor, action in rows]

    def tell(self, body: str, *, secret: str = SECRET, at: int | None = None) -> httpx2.Response:
        signature = stripe.WebhookSignature.generate_signature_header(body, secret, at or int(time.time()))
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        return self.strangers.post("/webhooks/stripe", content=body.encode(), headers=headers)


def event(customer: str, kind: str = "customer.subscription.updated", event_id: str | None = None) -> str:
    """As Stripe sends it. What it says of the subscription is not looked at."""
    about = {"id": "sub_1", "object": "subscription", "customer": customer, "status": "active"}
    return json.dumps(
        {
            "id": event_id or f"evt_{next(_numbers)}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": {"object": about},
        }
    )


@pytest.fixture
def shop(
    connect: Connect,
    paid_service: str,
    stripe_there: StripeServer,
    database: Database,
    admin: psycopg.Connection[Any],
) -> Shop:
    stripe_there.calls.clear()
    tenant = owner(database)
    return Shop(tenant, connect(paid_service, tenant.key), connect(paid_service), stripe_there, admin)
