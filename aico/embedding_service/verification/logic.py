"""And, or, both, all: what may be true together."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.tokens import Kind
from aico.embedding_service.verification.words import ARTICLES, groups

_TURNED = {"have": "must", "need": "must", "want": "want", "be": "", "able": "can"}
_BEGINNING = 10  # tokens
_TOGETHER = frozenset({"both", "simultaneously", "together"})
_PARTS = groups("all every each; some any one; few; most")
_BOUNDS = groups("more over above; less fewer under below; least; most up")
_WITHIN = 2  # tokens before a number, in which its bound stands
# What one may, must or will do. To ask how something can, should or must be done is one question.
_MODALS = groups("can could may; must should; will would")


def quantities_differ(asked: TextProfile, kept: TextProfile) -> bool:
    return _joined_otherwise(asked, kept) or _joined_otherwise(kept, asked)


def scopes_differ(asked: TextProfile, kept: TextProfile) -> bool:
    """All against some, at least three against three, only in one or before another word, must against may."""
    one, two = ({part for word, part in _PARTS.items() if text.functions[word]} for text in (asked, kept))
    if one and two and one.isdisjoint(two):
        return True
    bounds, others = _bounds(asked), _bounds(kept)
    if any(bounds[number] != others[number] for number in bounds.keys() & others.keys()):
        return True
    return _restricted(asked) != _restricted(kept) or _modals_differ(asked, kept)


def _bounds(text: TextProfile) -> Mapping[str, str]:
    """By number, how it bounds."""
    return {
        token.lemma: next((_BOUNDS[word] for word in _before(text, place) if word in _BOUNDS), "")
        for place, token in enumerate(text.tokens)
        if token.kind is Kind.NUMBER
    }


def _before(text: TextProfile, place: int) -> Sequence[str]:
    return [token.lemma for token in text.tokens[max(place - _WITHIN, 0) : place]]


def _restricted(text: TextProfile) -> list[str]:
    """What stands behind each "only"."""
    return [
        next((after.lemma for after in text.tokens[place + 1 :] if after.kind and after.lemma not in ARTICLES), "")
        for place, token in enumerate(text.tokens)
        if token.lemma == "only" and _before(text, place)[-1:] != ["not"]
    ]


def _modals_differ(asked: TextProfile, kept: TextProfile) -> bool:
    if not asked.question == kept.question == "whether":
        return False
    one, two = _modal(asked), _modal(kept)
    return bool(one and two) and one != two


def _modal(text: TextProfile) -> str:
    """Of a question whether: the word that it begins with, or what stands before "to" in it."""
    lemmas = [token.lemma for token in text.tokens[:_BEGINNING]]
    turned = next((_TURNED[one] for one, two in pairwise(lemmas) if two == "to" and one in _TURNED), "")
    return turned or _MODALS.get(lemmas[0], "")


def _joined_otherwise(text: TextProfile, other: TextProfile) -> bool:
    """One text with or alone, the other with and alone, around words that they share in part."""
    mine, theirs = text.functions, other.functions
    if not mine["or"] or mine["and"] or theirs["or"] or theirs["between"]:
        return False
    together = theirs["and"] > 0 or any(word in theirs or word in other.counts for word in _TOGETHER)
    return together and bool(text.counts.keys() & other.counts.keys())
