"""Where tenants are sent to pay, and where word of it comes back. Stripe is asked in threads of its own, never here."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from aico.billing.factory import load_gateway
from aico.billing.protocol import Checkout, Gateway
from aico.core.billing import ENDED, PriceList, standing
from aico.core.errors import Conflict
from aico.core.plans import Plan
from aico.core.settings import Settings
from aico.store import billing
from aico.store.aio import AsyncDatabase
from aico.store.billing import Event
from aico.store.scope import Scope

log = structlog.get_logger()
T = TypeVar("T")

THREADS = 4  # a slow Stripe holds up these, and nothing else
_ABOUT_SUBSCRIPTIONS = ("customer.subscription.", "checkout.session.completed", "invoice.paid", "invoice.payment_")


class BillingDesk:
    def __init__(self, database: AsyncDatabase, gateway: Gateway, settings: Settings) -> None:
        self._database = database
        self._gateway = gateway
        self._prices = PriceList.of(settings.stripe_prices)
        self._grace = timedelta(days=settings.billing_grace_days)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="stripe")

    @classmethod
    def open(cls, database: AsyncDatabase, settings: Settings) -> "BillingDesk | None":
        """None where no key is set."""
        gateway = load_gateway(settings)
        return None if gateway is None else cls(database, gateway, settings)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def checkout(self, tenant: UUID, actor: str, plan: Plan, success_url: str, cancel_url: str) -> str:
        """The address of a page that sells the plan. Raises Conflict where there is a subscription already."""
        scope = Scope.tenant(tenant)
        (account,) = await self._database.run(scope, billing.account(tenant))
        if account.standing.status is not None and account.standing.status not in ENDED:
            raise Conflict("there is a subscription already; POST /v1/billing/portal leads to where it is changed")
        customer = account.customer or await self._open_account(tenant, actor, account.name)
        wanted = Checkout(tenant, customer, plan, success_url, cancel_url)
        url = await self._ask(lambda: self._gateway.checkout(wanted))
        await self._database.run(scope, billing.record_visit(tenant, actor, "billing.checkout_opened", {"plan": plan}))
        return url

    async def portal(self, tenant: UUID, actor: str, return_url: str) -> str:
        """The address of a page where the subscription is changed. Raises Conflict before the first checkout."""
        scope = Scope.tenant(tenant)
        (account,) = await self._database.run(scope, billing.account(tenant))
        customer = account.customer
        if customer is None:
            raise Conflict("there is no billing account yet; POST /v1/billing/checkout opens one")
        url = await self._ask(lambda: self._gateway.portal(customer, return_url))
        await self._database.run(scope, billing.record_visit(tenant, actor, "billing.portal_opened", {}))
        return url

    async def receive(self, body: bytes, signature: str | None) -> bool:
        """Act upon an event from Stripe; whether there was anything to do.

        Raises InvalidInput for what Stripe has not signed. On any other error nothing is kept: Stripe sends it again.
        """
        event = self._gateway.read_event(body, signature)
        if event.customer is None or not event.type.startswith(_ABOUT_SUBSCRIPTIONS):
            return False
        (tenant,) = await self._database.run(Scope.system(), billing.tenant_of(event.customer))
        if tenant is None:
            log.warning("stripe_customer_unknown", event_id=event.id, event_type=event.type)
            return False
        return await self._sync(tenant, event)

    async def _sync(self, tenant: UUID, event: Event) -> bool:
        scope = Scope.tenant(tenant)
        looks = await self._database.run(scope, billing.begin_sync(tenant, event))
        if not looks:
            return False
        look = looks[0]
        subscriptions = await self._ask(lambda: self._gateway.subscriptions(look.customer))
        found = standing(subscriptions, self._prices, look.before, now=datetime.now(UTC), grace=self._grace)
        return bool(await self._database.run(scope, billing.apply(tenant, look, found, event)))

    async def _open_account(self, tenant: UUID, actor: str, name: str) -> str:
        customer = await self._ask(lambda: self._gateway.create_customer(tenant, name))
        scope = Scope.tenant(tenant)
        await self._database.run(scope, billing.open_account(tenant, customer, actor))
        (account,) = await self._database.run(scope, billing.account(tenant))
        return account.customer or customer

    async def _ask(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
