"""When a cached answer is served no more."""

import pytest

from aico.core.entry_quality import LEAST_GOOD, serves_well


@pytest.mark.parametrize(
    ("good", "bad", "stays"),
    [(0, 0, True), (9, 0, True), (0, 1, False), (1, 1, True), (3, 2, False), (5, 2, True), (200, 20, True)],
)
def test_an_entry_stays_while_nine_in_ten_may_still_be_good(good: int, bad: int, stays: bool) -> None:
    assert serves_well(good, bad) is stays


def test_one_more_good_judgement_never_takes_an_entry_away_nor_does_a_bad_one_bring_it_back() -> None:
    for good in range(60):
        for bad in range(1, 12):
            assert serves_well(good + 1, bad) >= serves_well(good, bad) >= serves_well(good, bad + 1)


def test_the_table_says_the_same_as_the_rule() -> None:
    assert LEAST_GOOD[0] == 1
    for bad, least in enumerate(LEAST_GOOD, start=1):
        assert serves_well(least, bad)
        assert not serves_well(least - 1, bad)
