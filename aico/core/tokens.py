"""Tokens as they were counted here and as they were billed."""

from typing import NamedTuple


class Pair(NamedTuple):
    """Of one answered call: what we counted in the prompt's text, and the input that the provider reported."""

    provider: str
    model: str
    counted: int
    billed: int
