from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aico.embedding_service.tokenise import plan_batches

LENGTHS = st.lists(st.integers(1, 256), max_size=60)
BUDGETS = st.integers(1, 2048)
COUNTS = st.integers(1, 32)


@given(LENGTHS, BUDGETS, COUNTS)
def test_every_text_is_in_exactly_one_batch(lengths: list[int], budget: int, count: int) -> None:
    planned = [index for batch in plan_batches(lengths, budget, count) for index in batch]
    assert sorted(planned) == list(range(len(lengths)))


@given(LENGTHS, BUDGETS, COUNTS)
def test_no_batch_exceeds_the_limits_unless_a_single_text_does(lengths: list[int], budget: int, count: int) -> None:
    for batch in plan_batches(lengths, budget, count):
        assert len(batch) <= count
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


@given(LENGTHS, BUDGETS, COUNTS)
def test_neighbouring_batches_could_not_have_been_one(lengths: list[int], budget: int, count: int) -> None:
    batches = plan_batches(lengths, budget, count)
    for batch, following in pairwise(batches):
        texts = len(batch) + 1
        assert texts > count or texts * lengths[following[0]] > budget


def test_texts_of_similar_length_share_a_batch() -> None:
    assert plan_batches([200, 5, 190, 6, 7], max_padded_tokens=400, max_batch=8) == [[1, 3, 4], [2, 0]]


def test_nothing_to_plan() -> None:
    assert plan_batches([], max_padded_tokens=100, max_batch=8) == []
