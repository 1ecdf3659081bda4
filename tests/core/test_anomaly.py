"""When an hour's spend stands out: properties that hold whatever was spent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.core.anomaly import LEAST_CENTS, LEAST_DAYS, find_anomaly

cents = st.decimals(min_value=0, max_value=10**6, places=2)
histories = st.lists(cents, min_size=LEAST_DAYS, max_size=28)


@given(spent=cents, earlier=st.lists(cents, max_size=LEAST_DAYS - 1))
def test_with_few_days_nothing_stands_out(spent: Decimal, earlier: list[Decimal]) -> None:
    assert find_anomaly(spent, earlier) is None


@given(spent=cents, earlier=histories)
def test_what_stands_out_is_far_above_the_median(spent: Decimal, earlier: list[Decimal]) -> None:
    found = find_anomaly(spent, earlier)
    if found is not None:
        assert spent - found.median >= LEAST_CENTS
        assert found.score >= 5
        assert sum(one >= spent for one in earlier) <= len(earlier) / 2


@given(spent=cents, more=cents, earlier=histories)
def test_more_stands_out_no_less(spent: Decimal, more: Decimal, earlier: list[Decimal]) -> None:
    less, greater = find_anomaly(spent, earlier), find_anomaly(spent + more, earlier)
    if less is not None:
        assert greater is not None
        assert greater.score >= less.score


@given(spent=cents, earlier=histories)
def test_the_order_of_the_days_does_not_matter(spent: Decimal, earlier: list[Decimal]) -> None:
    assert find_anomaly(spent, earlier) == find_anomaly(spent, sorted(earlier))


@given(usual=st.decimals(min_value=1, max_value=1000, places=2), wild=st.lists(cents, max_size=3))
def test_a_few_wild_days_hide_nothing(usual: Decimal, wild: list[Decimal]) -> None:
    calm = [usual] * LEAST_DAYS
    assert find_anomaly(usual * 3 + LEAST_CENTS, [*calm, *wild]) is not None


@given(usual=cents, days=st.integers(LEAST_DAYS, 28))
def test_what_is_as_always_never_stands_out(usual: Decimal, days: int) -> None:
    assert find_anomaly(usual, [usual] * days) is None


@pytest.mark.parametrize(("spent", "stands_out"), [("99.99", False), ("100", True)])
def test_the_least_amount_after_days_of_nothing(spent: str, stands_out: bool) -> None:
    assert (find_anomaly(Decimal(spent), [Decimal(0)] * LEAST_DAYS) is not None) is stands_out


def test_the_explanation_has_the_figures() -> None:
    found = find_anomaly(Decimal(500), [Decimal(40 + day) for day in range(1, 11)])
    assert found is not None
    assert found.explanation == (
        "500.00 cents were spent in this hour. The same hour of the 10 days before took 45.50 in the median, and "
        "differed from that by 2.50 in the median: this is 22.7 robust standard deviations above, and 5 count as "
        "unusual."
    )
