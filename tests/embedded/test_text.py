import pytest

from aico.embedded.local_model.text import StopFilter, TokenText


def decode(tokens: list[int]) -> str:
    return bytes(tokens).decode(errors="replace")


def test_characters_come_when_they_are_whole() -> None:
    text = TokenText(decode)
    shown = [text.push([byte]) for byte in "né€".encode()]
    assert shown == ["n", "", "é", "", "", "€"]
    assert text.flush() == ""


def test_a_character_that_never_ends_is_shown_broken() -> None:
    text = TokenText(decode)
    assert text.push([0xE2]) == ""
    assert text.flush() == "\ufffd"
    assert text.flush() == ""


@pytest.mark.parametrize(
    ("stops", "pieces", "shown", "stopped"),
    [
        ((), ["a", "b"], "ab", False),
        (("END",), ["one E", "ND two"], "one ", True),
        (("END",), ["one E", "NDless"], "one ", True),
        (("END",), ["one E", "N", "o"], "one ENo", False),
        (("END",), ["one EN"], "one EN", False),
        (("b", "ab"), ["xab"], "x", True),
        (("aab",), ["aa", "ab", "c"], "a", True),
    ],
)
def test_stop_strings(stops: tuple[str, ...], pieces: list[str], shown: str, stopped: bool) -> None:
    text = StopFilter(stops)
    assert "".join([text.push(piece) for piece in pieces] + [text.flush()]) == shown
    assert text.stopped is stopped


def test_nothing_of_a_possible_stop_is_shown_early() -> None:
    text = StopFilter(("STOP",))
    assert [text.push(piece) for piece in ("go ST", "O", "p")] == ["go ", "", "STOp"]
