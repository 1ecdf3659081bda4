"""When a model is asked before a call is made."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from aico.core.grey_zone import worth_asking, worthwhile


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


def judge(*each: str | None, room: str = "1") -> Callable[[Sequence[int]], Decimal | None]:
    """What asking about each adds to what asking costs at all."""

    def cents(places: Sequence[int]) -> Decimal | None:
        added = [each[place] for place in places]
        return None if None in added else Decimal(room) + sum(Decimal(one) for one in added if one is not None)

    return cents


@pytest.mark.parametrize(
    ("probabilities", "added", "chosen"),
    [
        ((0.8, 0.6), ("0.5", "0.5"), [0, 1]),
        ((0.8, 0.6), ("0.5", "1.2"), [0]),  # 0.2 * 0.6 of the call
        ((0.8, 0.6, 0.6), ("0.5", "20", "0.5"), [0, 2]),
        ((0.8, 0.6), ("20", "0.5"), [1]),
        ((0.8, 0.6), (None, "0.5"), [1]),
        ((0.5, 0.5), ("20", "20"), []),
        ((), (), []),
    ],
)
def test_each_answer_is_asked_about_if_it_saves_more_than_it_adds(
    probabilities: tuple[float, ...], added: tuple[str | None, ...], chosen: list[int]
) -> None:
    assert worthwhile(probabilities, Decimal(10), judge(*added)) == chosen


def test_where_the_price_of_the_call_is_unknown_nothing_is_worth_asking() -> None:
    assert worthwhile((0.9, 0.9), None, judge("0", "0", room="0.1")) == []
