import math

from hypothesis import given, settings
from hypothesis import strategies as st

from aico.core.chat import Message, Role
from aico.routing.tokens import count_text, estimate_input_tokens


def test_ordinary_text_is_counted_by_the_tokenizer() -> None:
    assert count_text("hello world") == 2
    assert count_text("<|endoftext|>") > 1, "the name of a special token is ordinary text here"
    assert count_text("") == 0


def test_long_text_is_counted_by_its_characters() -> None:
    assert count_text("word " * 100_000) == 125_000


def test_overhead_is_once_a_conversation() -> None:
    one = Message(role=Role.USER, content="word " * 100)
    assert estimate_input_tokens((one,)) == math.ceil(1.077 * count_text(one.text) + 12.9)
    assert estimate_input_tokens((one, one)) == math.ceil(1.077 * 2 * count_text(one.text) + 12.9)
    assert estimate_input_tokens((Message(role=Role.USER, content=""),)) == 13


@settings(deadline=None)  # the first call loads the vocabulary
@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_has_a_count(text: str) -> None:
    assert 0 <= count_text(text) <= 4 * len(text)
