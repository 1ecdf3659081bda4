"""What is served is judged wholly at first, then ever less often, and never less than the share."""

from collections.abc import Callable
from functools import partial
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.caching.sampling import audit_chance, near_chance

counts, shares = st.integers(0, 100_000), st.floats(0, 1)


def test_the_first_hits_are_all_audited_and_later_ones_ever_less_often() -> None:
    assert [audit_chance(audited, 0.05, 0.01) for audited in (0, 25, 50)] == [1.0] * 3
    assert audit_chance(100, 0.05, 0.01) == pytest.approx(exp(-1))
    assert audit_chance(10_000, 0.05, 0.01) == 0.05


def test_the_more_errors_are_allowed_the_sooner_fewer_hits_are_audited() -> None:
    assert audit_chance(20, 0.05, 0.05) == pytest.approx(exp(-1))


def test_what_was_not_served_is_judged_for_longer_because_only_the_judge_is_paid() -> None:
    assert near_chance(1999, 1999, 0.05) == 1.0
    assert near_chance(3999, 3999, 0.05) == pytest.approx(0.5)
    assert near_chance(4000, 10**6, 0.05) == 0.05


def test_after_a_change_of_which_little_is_known_yet_all_is_judged_again() -> None:
    assert near_chance(0, 10**6, 0.05) == 1.0


@given(counts, shares)
def test_a_chance_is_one_and_never_falls_below_the_share(known: int, share: float) -> None:
    chances: list[Callable[[int, float], float]] = [
        partial(audit_chance, target=0.01),
        lambda count, least: near_chance(count, count, least),
    ]
    for chance in chances:
        assert share <= chance(known, share) <= 1
        assert chance(known + 1, share) <= chance(known, share)
    assert near_chance(known, known, 0.0) > 0  # with no share at all what is new is still looked at
