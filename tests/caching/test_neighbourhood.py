"""Which group of answers is meant, and how clearly."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.caching.neighbourhood import Neighbour, ranked, surroundings
from aico.core.embedding import LEAST_SIMILARITY

neighbours = st.lists(
    st.builds(Neighbour, st.floats(LEAST_SIMILARITY, 1), st.integers(0, 4), st.booleans()), min_size=1, max_size=16
)


def test_the_nearest_question_comes_first_where_each_group_has_one() -> None:
    assert ranked([Neighbour(0.9, "a"), Neighbour(0.95, "b"), Neighbour(0.8, "c")]) == [1, 0, 2]


def test_several_neighbours_of_one_group_outweigh_one_that_is_a_little_nearer() -> None:
    several = [Neighbour(0.9, "a"), Neighbour(0.89, "b"), Neighbour(0.885, "b"), Neighbour(0.88, "b")]
    assert ranked(several) == [1, 0]
    assert ranked([Neighbour(0.99, "a"), *several[1:]]) == [0, 1]


def test_what_was_not_compared_comes_last_however_near_it_is() -> None:
    assert ranked([Neighbour(0.99, "new", compared=False), Neighbour(0.7, "a"), Neighbour(0.8, "b")]) == [2, 1, 0]


def test_a_group_is_represented_by_its_nearest_question() -> None:
    assert ranked([Neighbour(0.8, "a"), Neighbour(0.9, "a"), Neighbour(0.85, "a")]) == [1]


@given(neighbours)
def test_each_group_is_ranked_once_by_its_nearest_and_those_that_were_compared_first(
    found: list[Neighbour[int]],
) -> None:
    places = ranked(found)
    assert {found[place].group for place in places} == {one.group for one in found}
    assert len(places) == len({one.group for one in found})
    for place in places:
        assert found[place].similarity == max(one.similarity for one in found if one.group == found[place].group)
    known = [found[place].compared for place in places]
    assert known == sorted(known, reverse=True)


def test_nobody_near_is_ranked_nowhere() -> None:
    assert ranked([]) == []


def test_the_margin_is_the_distance_to_the_next_group_not_to_the_own_one() -> None:
    near = [Neighbour(0.95, "a"), Neighbour(0.94, "a"), Neighbour(0.85, "b"), Neighbour(0.8, "c")]
    seen = [surroundings(near, place) for place in (0, 2, 3)]
    assert [one.margin for one in seen] == pytest.approx([0.1, -0.1, -0.15])
    assert [one.support for one in seen] == [log(2), 0.0, 0.0]


def test_where_there_is_no_other_group_the_margin_reaches_to_what_is_not_looked_at() -> None:
    alone = surroundings([Neighbour(0.9, "a")], 0)
    assert [alone.margin, alone.support] == pytest.approx([0.9 - LEAST_SIMILARITY, 0.0])


def test_what_was_not_compared_is_no_other_group() -> None:
    near = [Neighbour(0.9, "a"), Neighbour(0.89, "new", compared=False), Neighbour(0.7, "b")]
    assert surroundings(near, 0).margin == pytest.approx(0.2)


@given(neighbours, st.data())
def test_another_neighbour_of_another_group_never_makes_one_safer(
    found: list[Neighbour[int]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(found) - 1))
    before = surroundings(found, place)
    after = surroundings([*found, Neighbour(data.draw(st.floats(LEAST_SIMILARITY, 1)), 99)], place)
    assert after.margin <= before.margin
    assert after.support == before.support >= 0
