"""What subscriptions grant: the best of them, as Stripe says that they stand now."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.core.billing import PriceList, Standing, Subscription, standing
from aico.core.errors import InvalidInput
from aico.core.plans import Plan

NOW = datetime(2026, 11, 20, tzinfo=UTC)
GRACE = timedelta(days=7)
PRICES = PriceList.of(["pro:price_pro", "business:price_business", "tokens:price_tokens"])
STATUSES = ("incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused", "new")


def subscription(status: str, price: str = "price_pro", *, created: int = 1, name: str = "sub") -> Subscription:
    prices = frozenset({price, "price_tokens"})
    return Subscription(name, status, prices, created, None, None, cancel_at_period_end=False)


def granted(*subscriptions: Subscription, before: Standing = Standing()) -> Plan | None:  # noqa: B008 - immutable
    return standing(subscriptions, PRICES, before, now=NOW, grace=GRACE).plan


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_is_paid_or_tried_grants_a_plan_and_for_a_while_what_is_owed(status: str) -> None:
    grants = status in {"active", "trialing", "past_due"}
    assert granted(subscription(status)) == (Plan.PRO if grants else None)
    had = Standing(plan=Plan.PRO)
    assert granted(subscription(status), before=had) == (Plan.PRO if grants else Plan.FREE)


@pytest.mark.parametrize(("days", "plan"), [(0, Plan.PRO), (6, Plan.PRO), (7, Plan.FREE), (8, Plan.FREE)])
def test_grace_ends(days: int, plan: Plan) -> None:
    since = NOW - timedelta(days=days)
    before = Standing("past_due", "sub", Plan.PRO, overdue_since=since)
    after = standing([subscription("past_due")], PRICES, before, now=NOW, grace=GRACE)
    assert (after.plan, after.overdue_since) == (plan, since)


def test_payment_ends_what_was_owed() -> None:
    before = Standing("past_due", "sub", Plan.FREE, overdue_since=NOW - timedelta(days=30))
    after = standing([subscription("active")], PRICES, before, now=NOW, grace=GRACE)
    assert (after.plan, after.overdue_since) == (Plan.PRO, None)


@given(st.permutations([("canceled", "price_business"), ("active", "price_pro"), ("active", "price_business")]))
def test_the_best_counts_in_any_order(sold: list[tuple[str, str]]) -> None:
    assert granted(*(subscription(status, price, name=f"{status} {price}") for status, price in sold)) == Plan.BUSINESS


def test_subscriptions_to_something_else_are_not_looked_at() -> None:
    other = Subscription("sub", "active", frozenset({"price_of_a_mug"}), 1, None, None, cancel_at_period_end=False)
    assert granted(other) is None
    assert granted(other, before=Standing(plan=Plan.PRO)) == Plan.FREE


def test_who_never_subscribed_keeps_what_there_is() -> None:
    assert granted() is None
    assert granted(before=Standing(plan=Plan.BUSINESS)) == Plan.FREE


@pytest.mark.parametrize("pairs", [["pro:a", "pro:b"], ["pro:a", "business:a"]])
def test_prices_that_contradict_each_other_are_refused(pairs: list[str]) -> None:
    with pytest.raises(InvalidInput, match="STRIPE_PRICES"):
        PriceList.of(pairs)
