import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.wire.sequence import number, place
from aico.wire.spoken import Contradiction, Spoken


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=5), st.lists(st.integers(0, 40), max_size=5))
def test_a_text_that_is_repeated_is_sent_once(text: str, first: list[int], second: list[int]) -> None:
    """A worker that dies after any piece, and another that begins anew in pieces of its own."""
    spoken, sent = Spoken(), ""
    for cuts in (first, second):
        position = 0
        for cut in sorted(cuts):
            piece = text[position:cut]
            sent += spoken.add(position, piece)
            position = max(position, min(cut, len(text)))
    assert text.startswith(sent)
    assert sent + spoken.rest(text) == text


@pytest.mark.parametrize(("start", "text"), [(0, "Lyon"), (0, "Paris?"), (3, "ix")])
def test_a_text_that_says_something_else_is_a_contradiction(start: int, text: str) -> None:
    spoken = Spoken()
    spoken.add(0, "Paris.")
    with pytest.raises(Contradiction):
        spoken.add(start, text)


def test_an_answer_that_does_not_begin_with_what_was_sent_is_a_contradiction() -> None:
    spoken = Spoken()
    spoken.add(0, "Paris.")
    with pytest.raises(Contradiction):
        spoken.rest("Paris")
    assert spoken.rest("Paris. Or not.") == " Or not."


@given(st.integers(0, 1000), st.integers(0, 9_999_999))
def test_a_number_stands_for_one_place_and_grows_with_it(generation: int, position: int) -> None:
    assert place(number(generation, position)) == (generation, position)
    assert number(generation + 1, 0) > number(generation, position)
