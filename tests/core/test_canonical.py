"""When two texts are the same."""

import unicodedata

import pytest

from aico.core.canonical import canonical_text, nfc


def test_texts_that_look_the_same_are_the_same() -> None:
    composed, apart = "caf\u00e9 " * 1000, "cafe\u0301 " * 1000
    assert canonical_text(apart) == canonical_text(composed) == composed.strip()


@pytest.mark.parametrize("marks", ["\u0301\u0327", "\u0f73\u0f71", "\u0301"], ids=["two", "made of marks", "one"])
def test_more_marks_than_any_letter_has_are_left_as_they_are(marks: str) -> None:
    """To sort them takes the square of their number: minutes, of as many as a prompt may have."""
    heap = marks * 100_000
    assert nfc(f"e\u0301 x{heap}e\u0301") == f"\u00e9 x{heap}\u00e9"


def test_long_texts_are_normalised_as_short_ones_are() -> None:
    text = "o\u0308 \u1112\u1161\u11ab \u0344\u0f73 x\u0327\u0301 " * 200
    assert nfc(text) == unicodedata.normalize("NFC", text)
