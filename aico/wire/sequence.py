"""Sequence numbers of streams.

They count characters of the answer, so that a stream that broke off can be resumed from the stored answer alone,
whatever was lost on the way.
"""

_GENERATION = 10_000_000  # more characters than an answer may have


def number(generation: int, position: int) -> int:
    """Of what ends `position` characters into the text of a generation (see Piece)."""
    return generation * _GENERATION + position


def place(sequence_number: int) -> tuple[int, int]:
    """The generation and the position that a number stands for."""
    return divmod(sequence_number, _GENERATION)
