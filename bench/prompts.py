"""Prompts of sixteen words, made from a number: cheap, the same in every run, and unlike one another in meaning."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

Kind = Literal["distinct", "repeated", "paraphrased"]

CACHED = 256  # prompts that a cache holds before repeats of them are sent

# fmt: off
_WORDS = (  # one for each digit
    "anchor", "bridge", "candle", "desert", "engine", "falcon", "garden", "harbour",
    "island", "jacket", "kettle", "ladder", "meadow", "needle", "orchard", "pepper",
    "quarry", "ribbon", "saddle", "temple", "umbrella", "valley", "window", "yellow",
    "zebra", "carpet", "dragon", "elbow", "forest", "glacier", "hammer", "insect",
    "jungle", "kitchen", "lemon", "mirror", "notebook", "ocean", "pencil", "quilt",
    "river", "silver", "tunnel", "uncle", "village", "whistle", "yogurt", "zinc",
    "almond", "butter", "copper", "doctor", "eagle", "flower", "guitar", "hotel",
    "ivory", "jewel", "knight", "lantern", "marble", "north", "olive", "piano",
)
# fmt: on
_DIGIT_BITS, _BITS = 6, 96
_STRIDE = 0x9E3779B97F4A7C15F39CC061  # odd, so that numbers below 2**96 give different prompts
_ENDINGS = ("", ".", "!", "?")


def distinct(number: int) -> str:
    """Another prompt for each `number`: its multiple of an odd constant modulo 2**96, written in words for digits."""
    digits = number * _STRIDE % (1 << _BITS)
    return " ".join(_WORDS[digits >> shift & len(_WORDS) - 1] for shift in range(0, _BITS, _DIGIT_BITS))


def repeated(number: int) -> str:
    return distinct(number % CACHED)


def paraphrased(number: int) -> str:
    """A cached prompt in other capitals and with other punctuation, never letter for letter as it is cached."""
    variant = number // CACHED + 1
    capitals, ending = divmod(variant, len(_ENDINGS))
    words = distinct(number % CACHED).split()
    return (
        " ".join(word.upper() if capitals >> place & 1 else word for place, word in enumerate(words)) + _ENDINGS[ending]
    )


TEXTS: Mapping[Kind, Callable[[int], str]] = MappingProxyType(
    {"distinct": distinct, "repeated": repeated, "paraphrased": paraphrased}
)
