"""Numbers and units: which, of what, and in which order."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from aico.embedding_service.verification.groups import UNITS
from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.tokens import Kind

_MOST_CODED = 8  # tokens of code a side
_DIGITS = re.compile(r"\d+")


class Amounts(NamedTuple):
    numbers: bool  # others, or others of the same things
    one_sided: int  # numbers that the other text has none for
    units: bool


def amounts(asked: TextProfile, kept: TextProfile) -> Amounts:
    left, right = _only(asked, kept), _only(kept, asked)
    bound, others = _bound(asked), _bound(kept)
    rebound = any(
        number in others and unit and others[number] and others[number] != unit for number, unit in bound.items()
    )
    units = _differ(asked.units, kept.units) or rebound
    numbers = bool(left and right) or _swapped(asked, kept) or _within_code(asked, kept)
    return Amounts(numbers, abs(_telling(left) - _telling(right)), units)


def _only(text: TextProfile, other: TextProfile) -> list[str]:
    return list((Counter(text.numbers) - Counter(other.numbers)).elements())


def _telling(numbers: list[str]) -> int:
    """The first step is a step."""
    return sum(number != "1st" for number in numbers)


def _differ(one: frozenset[str], two: frozenset[str]) -> bool:
    return bool(one - two and two - one)


def _bound(text: TextProfile) -> Mapping[str, str]:
    """By number, the unit written with it."""
    bound = dict[str, str]()
    for token, after in zip(text.tokens, text.tokens[1:], strict=False):
        if token.kind is Kind.NUMBER:
            bound.setdefault(token.lemma, UNITS.get(after.text.lower(), UNITS.get(after.lemma, "")))
    return bound


def _swapped(asked: TextProfile, kept: TextProfile) -> bool:
    """The same numbers in another order, with the same words around them."""
    if asked.numbers == kept.numbers or len(asked.numbers) != len(kept.numbers):
        return False
    one, two = ([token.lemma for token in text.content if token.kind is not Kind.NUMBER] for text in (asked, kept))
    return one == two


def _within_code(asked: TextProfile, kept: TextProfile) -> bool:
    """v3.2 and v3.3, or two dates behind one word."""
    left, right = (_coded(one, two) for one, two in ((asked, kept), (kept, asked)))
    return any(_DIGITS.sub("0", one) == _DIGITS.sub("0", two) for one in left for two in right)


def _coded(text: TextProfile, other: TextProfile) -> list[str]:
    found = (token.lemma for token in text.content if token.kind is Kind.CODE and token.lemma not in other.counts)
    return [lemma for lemma in found if _DIGITS.search(lemma)][:_MOST_CODED]
