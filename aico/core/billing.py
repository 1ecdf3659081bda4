"""What a tenant's subscriptions grant. Decided from all of them as they are now, never from what an event says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from aico.core.errors import InvalidInput
from aico.core.plans import Plan


class Unit(StrEnum):
    """What use is counted in."""

    TOKENS = "tokens"  # in and out of provider calls
    CENTS = "cents"  # whole US cents that provider calls cost


_RANK = {plan: rank for rank, plan in enumerate(Plan)}
_PAYING = frozenset({"active", "trialing"})
_OVERDUE = "past_due"
ENDED = frozenset({"canceled", "incomplete", "incomplete_expired"})  # another subscription may be begun


@dataclass(frozen=True, slots=True)
class PriceList:
    """Stripe's ids of prices: what is sold at each."""

    plans: Mapping[str, Plan]  # by id
    metered: Mapping[Unit, str]

    @classmethod
    def of(cls, pairs: Iterable[str]) -> Self:
        """Of `plan:id` and `unit:id`. Raises InvalidInput where a name or an id is given twice."""
        named = [tuple(pair.split(":", 1)) for pair in pairs]
        if len({name for name, _ in named}) < len(named) or len({price for _, price in named}) < len(named):
            raise InvalidInput("STRIPE_PRICES: each plan has one price, and each price belongs to one plan")
        units = set(Unit)
        return cls(
            plans={price: Plan(name) for name, price in named if name not in units},
            metered={Unit(name): price for name, price in named if name in units},
        )

    def of_plan(self, plan: Plan) -> str | None:
        return next((price for price, sold in self.plans.items() if sold is plan), None)


@dataclass(frozen=True, slots=True)
class Subscription:
    id: str
    status: str  # Stripe's word
    prices: frozenset[str]
    created: int  # Unix seconds
    period_start: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a tenant stands with what it pays for."""

    status: str | None = None  # None: there is no subscription
    subscription: str | None = None
    plan: Plan | None = None  # None: nothing has ever been granted, so what the tenant has is left as it is
    period_start: datetime | None = None
    period_end: datetime | None = None
    cancel_at_period_end: bool = False
    overdue_since: datetime | None = None


def standing(
    subscriptions: Iterable[Subscription], prices: PriceList, before: Standing, *, now: datetime, grace: timedelta
) -> Standing:
    """The best of a customer's subscriptions counts. Those of other products are not looked at.

    While a payment is overdue the plan stays for `grace`. When nothing is granted any more, it is the free one.
    """
    ours = [one for one in subscriptions if one.prices & prices.plans.keys()]
    if not ours:
        return Standing(plan=before.plan and Plan.FREE)
    overdue = before.overdue_since or now
    granted = {one.id: _granted(one, prices, in_grace=now - overdue < grace) for one in ours}
    best = max(ours, key=lambda one: (_rank(granted[one.id]), one.status not in ENDED, one.created))
    return Standing(
        status=best.status,
        subscription=best.id,
        plan=granted[best.id] or (before.plan and Plan.FREE),
        period_start=best.period_start,
        period_end=best.period_end,
        cancel_at_period_end=best.cancel_at_period_end,
        overdue_since=overdue if best.status == _OVERDUE else None,
    )


def _granted(subscription: Subscription, prices: PriceList, *, in_grace: bool) -> Plan | None:
    if subscription.status in _PAYING or (subscription.status == _OVERDUE and in_grace):
        return max((prices.plans[price] for price in subscription.prices & prices.plans.keys()), key=_RANK.__getitem__)
    return None


def _rank(plan: Plan | None) -> int:
    return -1 if plan is None else _RANK[plan]
