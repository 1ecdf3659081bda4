"""Which namespaces of the cache get an index, and what counts as found."""

from uuid import UUID

import pytest

from aico.core import cache_index
from aico.core.cache_index import IndexState, Scope, Standing, Step, Trial, recall, steps

LEAST = 1000


def standing(
    rows: int, state: IndexState | None = None, *, decided: int = LEAST, valid: bool = True, number: int = 1
) -> Standing:
    return Standing(Scope(UUID(int=number), b"n", "m"), rows, state, decided, valid)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (standing(999), None),
        (standing(1000), Step.BUILD),
        (standing(1999, IndexState.USED), None),
        (standing(2000, IndexState.USED), Step.CHECK),
        (standing(500, IndexState.USED), None),
        (standing(499, IndexState.USED), Step.DROP),
        (standing(1000, IndexState.USED, valid=False), Step.BUILD),
        (standing(1000, IndexState.BUILDING, valid=False), Step.BUILD),
        (standing(1000, IndexState.BUILDING), Step.CHECK),
        (standing(1999, IndexState.REJECTED, valid=False), None),
        (standing(2000, IndexState.REJECTED, valid=False), Step.BUILD),
        (standing(0, IndexState.REJECTED, valid=False), Step.DROP),
    ],
    ids=[
        "small",
        "large enough",
        "not yet doubled",
        "doubled",
        "half of the limit",
        "below half of the limit",
        "its index was broken",
        "its build broke off",
        "built but not measured",
        "rejected",
        "rejected and doubled",
        "rejected and gone",
    ],
)
def test_a_namespace_is_indexed_by_how_large_it_is_and_how_its_last_index_did(
    one: Standing, expected: Step | None
) -> None:
    assert [step for step, _ in steps([one], least_rows=LEAST)] == ([] if expected is None else [expected])


def test_the_largest_namespaces_have_the_places_and_room_is_made_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_index, "MOST_INDEXES", 2)
    grown, larger, outgrown = (
        standing(3001, valid=False, number=1),
        standing(4000, valid=False, number=2),
        standing(2000, IndexState.USED, number=3),
    )
    todo = steps([outgrown, grown, larger], least_rows=LEAST)
    assert todo == [(Step.DROP, outgrown), (Step.BUILD, larger), (Step.BUILD, grown)]


def test_an_index_is_not_taken_away_for_a_namespace_that_is_hardly_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_index, "MOST_INDEXES", 1)
    own = standing(3000, IndexState.USED, decided=3000, number=1)
    hardly, much = standing(3001, valid=False, number=2), standing(4501, valid=False, number=3)
    assert steps([own, hardly], least_rows=LEAST) == []
    assert steps([own, much], least_rows=LEAST) == [(Step.DROP, own), (Step.BUILD, much)]


def test_recall_is_the_share_of_near_neighbours_that_were_found() -> None:
    found = Trial(exact=(1.0, 0.95, 0.85, 0.4), by_index=(1.0, 0.95, 0.85))
    missed = Trial(exact=(1.0, 0.95, 0.4), by_index=(1.0, 0.4))
    assert recall([found], 3) == 1
    assert recall([found, missed], 3) == 4 / 5
    assert recall([found, missed], 1) == 1


def test_any_of_equally_near_neighbours_will_do_and_far_ones_do_not_count() -> None:
    assert recall([Trial(exact=(0.9, 0.9), by_index=(0.9,))], 1) == 1
    assert recall([Trial(exact=(0.79,), by_index=())], 1) is None
    assert recall([], 1) is None
