"""What a tenant is subscribed to, the pages of Stripe's where that is changed, and Stripe's events."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError

from aico.api.billing_desk import BillingDesk
from aico.api.billing_schemas import (
    BillingView,
    CheckoutRequest,
    Page,
    PortalRequest,
    Received,
    ShareView,
    SubscriptionView,
    UsageView,
    monthly_tokens,
)
from aico.api.problems import documented
from aico.api.services import BillingWriter, Held, Services
from aico.core.attempts import AttemptKind
from aico.core.errors import Conflict, InvalidInput
from aico.core.return_urls import check_return_url
from aico.core.savings import measure
from aico.core.share import MONTH_PATTERN, is_final, month_of, this_month
from aico.store import billing, ledger, savings
from aico.store.savings import KindSpending
from aico.store.scope import Scope

EVENTS_PATH = "/webhooks/stripe"
MAX_EVENT_BYTES = 512 * 1024

router = APIRouter(tags=["billing"])

_BODY: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": {}}}, "required": True}}
Month = Annotated[str | None, Query(pattern=MONTH_PATTERN, description="2026-11; else this month.")]


@router.get("/v1/billing", responses=documented(401, 403, 503))
async def get_billing(held: Held, principal: BillingWriter) -> BillingView:
    """Read the plan, the subscription, what has been used this month, and the operator's share of what that saved."""
    tenant, month = principal.tenant, this_month(datetime.now(UTC))
    (account,) = await held.database.run(Scope.tenant(tenant), billing.account(tenant))
    kinds, share = await _month(held, tenant, month)
    calls = [kind for kind in kinds if kind.kind == AttemptKind.CALL]
    return BillingView(
        enabled=held.billing is not None,
        plan=account.tenant_plan,
        subscription=SubscriptionView.of(account),
        usage=UsageView(
            since=month_of(month)[0],
            tokens=sum(kind.tokens for kind in calls),
            monthly_tokens=monthly_tokens(account.tenant_plan),
            cost_cents=savings.total(calls).cost_cents,
        ),
        share=share,
    )


@router.get("/v1/billing/share", responses=documented(401, 403, 422, 503))
async def get_share(held: Held, principal: BillingWriter, month: Month = None) -> ShareView:
    """Read the operator's share of what a month has saved, and how that was found."""
    _, share = await _month(held, principal.tenant, month or this_month(datetime.now(UTC)))
    return share


@router.post("/v1/billing/checkout", responses=documented(400, 401, 403, 409, 422, 503))
async def open_checkout(request: CheckoutRequest, held: Held, principal: BillingWriter) -> Page:
    """Open a page where a plan is subscribed to. The plan changes when Stripe says that it is paid."""
    _check(held, "success_url", request.success_url)
    _check(held, "cancel_url", request.cancel_url)
    desk = _desk(held)
    url = await desk.checkout(principal.tenant, principal.actor, request.plan, request.success_url, request.cancel_url)
    return Page(url=url)


@router.post("/v1/billing/portal", responses=documented(400, 401, 403, 409, 422, 503))
async def open_portal(request: PortalRequest, held: Held, principal: BillingWriter) -> Page:
    """Open a page where the subscription is changed or ended, and where invoices are."""
    _check(held, "return_url", request.return_url)
    return Page(url=await _desk(held).portal(principal.tenant, principal.actor, request.return_url))


@router.post(EVENTS_PATH, responses=documented(400, 409, 413, 503), openapi_extra=_BODY)
async def receive_event(request: Request, held: Held) -> Received:
    """Take an event from Stripe. Its signature is what proves who sends it; there is no other credential."""
    desk = _desk(held)
    return Received(handled=await desk.receive(await request.body(), request.headers.get("stripe-signature")))


def _desk(held: Services) -> BillingDesk:
    if held.billing is None:
        raise Conflict("this service takes no payment: STRIPE_API_KEY is not set")
    return held.billing


def _check(held: Services, field: str, url: str) -> None:
    """Raises RequestValidationError, as the framework does."""
    try:
        check_return_url(url, held.settings.billing_return_origins or held.settings.cors_origins)
    except InvalidInput as error:
        raise RequestValidationError([{"type": "url", "loc": ("body", field), "msg": error.detail}]) from error


async def _month(held: Services, tenant: UUID, month: str) -> tuple[list[KindSpending], ShareView]:
    since, until = month_of(month)
    scope = Scope.tenant(tenant)
    # In this order: what is no longer pending when the first is read, the second has booked.
    (pending,) = await held.database.run(scope, ledger.pending(tenant))
    kinds = await held.database.run(scope, savings.spending(tenant, since, until))
    arms = dict(await held.database.run(scope, savings.holdout(tenant, since, until)))
    final, spending = is_final(until, datetime.now(UTC), pending_events=pending), savings.total(kinds)
    measured = measure(arms, spending.own_cents)
    return kinds, ShareView.of(month, spending, measured, held.settings.revenue_share, final=final)
