"""When a model is asked before a call is made."""

from decimal import Decimal

import pytest

from aico.core.grey_zone import worth_asking


@pytest.mark.parametrize(
    ("probability", "call", "judge", "worth"),
    [
        (0.5, "2", "0.9", True),
        (0.5, "2", "1", False),
        (0.1, "2", "0.9", False),
        (1.0, "0", "0", False),
        (0.9, None, "0.1", False),
        (0.9, "2", None, False),
    ],
)
def test_asking_is_worth_it_if_the_call_that_it_may_save_costs_more(
    probability: float, call: str | None, judge: str | None, worth: bool
) -> None:
    prices = [None if cents is None else Decimal(cents) for cents in (call, judge)]
    assert worth_asking(probability, *prices) is worth
