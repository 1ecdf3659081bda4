"""The arithmetic of the share, for all spendings that there can be."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.core.estimates import Estimate, Interval
from aico.core.money import CENT_PLACES
from aico.core.savings import HOLDOUT, LIST_PRICE, Measured, Spending, Verified, verified_savings
from aico.core.share import is_final, month_of, share_of

money = st.decimals(0, 10**12, places=6)
rates = st.decimals("0.10", "0.20", places=4)


@st.composite
def spendings(draw: st.DrawFn) -> Spending:
    baseline = draw(money)
    unpriced = draw(st.decimals(0, baseline, places=6))
    return Spending(draw(st.integers(0, 10**9)), draw(st.integers(0, 10**9)), draw(money), baseline, unpriced)


@given(spendings(), rates)
def test_a_share_is_never_negative_and_never_more_than_a_fifth_of_what_was_saved(
    spending: Spending, rate: Decimal
) -> None:
    savings = verified_savings(spending, None)
    amount = share_of(savings.cents, rate)
    assert Decimal(0) <= amount <= savings.cents * Decimal("0.20")
    assert savings.cents <= spending.baseline_cost_cents
    assert amount == amount.quantize(CENT_PLACES)
    assert savings.method == LIST_PRICE


@given(spendings(), rates)
def test_a_share_is_exact_to_a_millionth_of_a_cent_and_rounded_to_the_tenants_side(
    spending: Spending, rate: Decimal
) -> None:
    savings = verified_savings(spending, None)
    assert Decimal(0) <= savings.cents * rate - share_of(savings.cents, rate) < CENT_PLACES


@given(spendings(), money)
def test_who_spends_more_for_the_same_has_saved_less(spending: Spending, more: Decimal) -> None:
    dearer = Spending(
        spending.answers,
        spending.unpriced_attempts,
        spending.cost_cents + more,
        spending.baseline_cost_cents,
        spending.unpriced_baseline_cents,
    )
    assert verified_savings(dearer, None).cents <= verified_savings(spending, None).cents


@given(money, money, money)
def test_answers_whose_cost_is_unknown_save_nothing(cost: Decimal, baseline: Decimal, unpriced: Decimal) -> None:
    without = verified_savings(Spending(1, 0, cost, baseline, Decimal(0)), None)
    beside = verified_savings(Spending(2, 1, cost, baseline + unpriced, unpriced), None)
    assert beside.cents == without.cents
    assert beside.excluded_cents == unpriced


def test_a_month_that_cost_more_than_its_baseline_saves_nothing() -> None:
    assert verified_savings(Spending(1, 0, Decimal(5), Decimal(3), Decimal(0)), None).cents == 0


def test_a_share_in_figures() -> None:
    spending = Spending(10, 1, Decimal("12.5"), Decimal("112.500007"), Decimal(50))
    savings = verified_savings(spending, None)
    assert savings == Verified(LIST_PRICE, Decimal("50.000007"), Decimal(50))
    assert share_of(savings.cents, Decimal("0.15")) == Decimal("7.500001")


@pytest.mark.parametrize(("low", "saved"), [(30.5, "30.5"), (-4.0, "0")])
def test_where_the_holdout_has_measured_the_least_of_its_interval_counts(low: float, saved: str) -> None:
    cents = Estimate(60.0, Interval(low, 90.0))
    measured = Measured(cents_per_job=cents, share=None, cents=cents, quality=None)
    spending = Spending(10, 0, Decimal("12.5"), Decimal(500), Decimal(0))
    assert verified_savings(spending, measured) == Verified(HOLDOUT, Decimal(saved), Decimal(0))


@pytest.mark.parametrize(("text", "until"), [("2026-11", (2026, 12)), ("2026-12", (2027, 1)), ("2028-02", (2028, 3))])
def test_a_month_ends_where_the_next_begins(text: str, until: tuple[int, int]) -> None:
    since, end = month_of(text)
    assert f"{since:%Y-%m}" == text
    assert end == datetime(*until, 1, tzinfo=UTC)


def test_a_month_is_final_once_it_is_over_and_all_is_booked() -> None:
    until = datetime(2026, 12, 1, tzinfo=UTC)
    assert not is_final(until, until, pending_events=0)
    assert not is_final(until, until.replace(hour=2), pending_events=1)
    assert is_final(until, until.replace(hour=1), pending_events=0)
