"""When: days, months, before and after, what was, is and becomes."""

import re
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.residue import Residue
from aico.embedding_service.verification.words import groups

_USED_TO = re.compile(r"\bused to\b|\b[Dd]id .{1,60}\buse to\b")
_ACCUSTOMED = re.compile(r"(?:\b(?:be|is|are|am|was|were|get|got|getting)|'m|'re|'s)\s+(?:\w+\s+)?used to\b")
_LOOKED_AT = 2_000
_SIDES = groups("before until till; after since; during while")
_PAST, _PRESENT = frozenset({"was", "were", "did"}), frozenset({"is", "are", "do", "does", "am"})


class Times(NamedTuple):
    differ: bool  # another day, month or side of an event, or another aspect of being
    one_sided: bool  # one is dated, the other is not
    tense: bool


def times(asked: TextProfile, kept: TextProfile, rest: Residue) -> Times:
    differ = (
        _exclude(asked.days, kept.days)
        or _exclude(asked.calendar, kept.calendar)
        or _sides(asked, kept)
        or (rest.few and (_past_habit(asked) != _past_habit(kept) or _becoming(asked, kept) or _becoming(kept, asked)))
    )
    one_sided = bool(asked.calendar) != bool(kept.calendar) or _dated(asked) != _dated(kept)
    one, two = _tense(asked), _tense(kept)
    return Times(differ, one_sided, rest.few and one is not None and two is not None and one != two)


def _exclude(one: AbstractSet[str], two: AbstractSet[str]) -> bool:
    return bool(one and two and one - two and two - one)


def _dated(text: TextProfile) -> bool:
    return bool(text.days - {"now"})


def _sides(asked: TextProfile, kept: TextProfile) -> bool:
    one, two = ({side for word, side in _SIDES.items() if text.functions[word]} for text in (asked, kept))
    return _exclude(one, two)


def _past_habit(text: TextProfile) -> bool:
    head = text.text[:_LOOKED_AT]
    return "use" in head and bool(_USED_TO.search(head)) and not _ACCUSTOMED.search(head)


def _becoming(text: TextProfile, other: TextProfile) -> bool:
    return "become" in text.counts and "become" not in other.counts and other.functions["be"] > 0


def _tense(text: TextProfile) -> str | None:
    """Of a question whether or who: is it, was it. What will be is often asked for by what is."""
    at = 1 if text.question == "who" else 0
    if at >= len(text.tokens):
        return None
    word = text.tokens[at].text.lower().removesuffix("n't")
    return "past" if word in _PAST else "present" if word in _PRESENT else None
