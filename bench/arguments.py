"""What the command lines of the benches have in common."""

import argparse
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def positive(kind: Callable[[str], Number], text: str) -> Number:
    """A number above 0. Raises what `argparse` shows."""
    value = kind(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
