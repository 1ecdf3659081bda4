"""What goes over the wire about plans, payment and the operator's share."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from aico.core.plans import MONTHLY_TOKENS, Plan
from aico.core.return_urls import MAX_URL
from aico.core.savings import Measured, Spending, verified_savings
from aico.core.share import share_of
from aico.store.billing import Account

ReturnUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL,
        description="At one of the origins in `BILLING_RETURN_ORIGINS`, or in `CORS_ORIGINS` where those are not set.",
    ),
]


class CheckoutRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "plan": "pro",
                    "success_url": "https://app.example.com/billing?paid=1",
                    "cancel_url": "https://app.example.com/billing",
                }
            ]
        },
    )

    plan: Literal[Plan.PRO, Plan.BUSINESS]
    success_url: ReturnUrl
    cancel_url: ReturnUrl


class PortalRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"return_url": "https://app.example.com/billing"}]}
    )

    return_url: ReturnUrl


class Page(BaseModel):
    """A page of Stripe's, for the browser to go to."""

    url: str


class Received(BaseModel):
    handled: Annotated[bool, Field(description="Whether there was anything to do.")]


class SubscriptionView(BaseModel):
    id: str
    status: Annotated[str, Field(description="Stripe's word: `active`, `past_due`, `canceled`, …")]
    period_start: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    overdue_since: datetime | None

    @classmethod
    def of(cls, account: Account) -> Self | None:
        standing = account.standing
        if standing.subscription is None or standing.status is None:
            return None
        return cls(
            id=standing.subscription,
            status=standing.status,
            period_start=standing.period_start,
            period_end=standing.period_end,
            cancel_at_period_end=standing.cancel_at_period_end,
            overdue_since=standing.overdue_since,
        )


class UsageView(BaseModel):
    """Of provider calls in this calendar month, UTC, as far as they have been booked."""

    since: datetime
    tokens: int
    monthly_tokens: Annotated[int | None, Field(description="What the plan grants; null: no such limit.")]
    cost_cents: Decimal


class ShareView(BaseModel):
    """The operator's share of what has been saved in a calendar month, UTC."""

    month: str
    final: Annotated[bool, Field(description="Whether the month is over and everything has been booked.")]
    method: Annotated[
        str,
        Field(description="`holdout`: the least that its interval bears out; else `list_price_baseline`."),
    ]
    answers: int
    baseline_cost_cents: Annotated[Decimal, Field(description="At the baseline model's list price, of all answers.")]
    cost_cents: Annotated[Decimal, Field(description="Of all attempts with a known price, failed ones too.")]
    savings_cents: Annotated[
        Decimal, Field(description="As the method says, less what routing itself cost; never negative.")
    ]
    share_rate: Decimal
    amount_cents: Decimal
    excluded_baseline_cents: Annotated[
        Decimal, Field(description="Of answers whose own cost is unknown, which count as no savings.")
    ]
    unpriced_attempts: Annotated[int, Field(description="Attempts without a known price; not in the cost.")]

    @classmethod
    def of(cls, month: str, spending: Spending, measured: Measured | None, rate: Decimal, *, final: bool) -> Self:
        savings = verified_savings(spending, measured)
        return cls(
            month=month,
            final=final,
            method=savings.method,
            answers=spending.answers,
            baseline_cost_cents=spending.baseline_cost_cents,
            cost_cents=spending.cost_cents,
            savings_cents=savings.cents,
            share_rate=rate,
            amount_cents=share_of(savings.cents, rate),
            excluded_baseline_cents=savings.excluded_cents,
            unpriced_attempts=spending.unpriced_attempts,
        )


class BillingView(BaseModel):
    enabled: Annotated[bool, Field(description="Whether this service takes payment.")]
    plan: Annotated[Plan | None, Field(description="Null: no plan, and none of its limits.")]
    subscription: SubscriptionView | None
    usage: UsageView
    share: Annotated[ShareView, Field(description="Of this month so far.")]


def monthly_tokens(plan: Plan | None) -> int | None:
    return None if plan is None else MONTHLY_TOKENS[plan]
