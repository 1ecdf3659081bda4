"""Tokens as they were counted here and as they were billed."""

from dataclasses import dataclass
from typing import NamedTuple, Self


class Pair(NamedTuple):
    """Of one answered call: what we counted in the prompt's text, and the input that the provider reported."""

    provider: str
    model: str
    counted: int
    billed: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Over pairs (x counted, y billed), each weighted: all that a line through them depends on."""

    calls: int = 0
    w: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def __add__(self, other: Self) -> "Sums":
        return Sums(
            self.calls + other.calls,
            self.w + other.w,
            self.x + other.x,
            self.y + other.y,
            self.xx + other.xx,
            self.xy + other.xy,
        )
