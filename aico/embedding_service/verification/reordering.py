"""The same words in another order."""

from collections.abc import Sequence

from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.residue import Residue
from aico.embedding_service.verification.words import ARTICLES, ROLES, SYMMETRIC

_LOOKED_AT = 200  # tokens
_FEW = 3  # content words, of which the order says who does what
_SUBJECTS, _OBJECTS = frozenset({"i", "we", "he", "she", "they"}), frozenset({"me", "us", "him", "her", "them"})
_ASKING = frozenset({"who", "what", "which"})
_OWNING = ("of", "in", "for", "on", "by")  # a process in Linux is a Linux process; passives are looked at elsewhere
_JOINING = ARTICLES | ROLES.keys()  # without more it is no sentence
_LISTING = frozenset({"and", "or", "vs", "versus"})


def reordered(asked: TextProfile, kept: TextProfile, rest: Residue, *, foreign: bool) -> bool:
    """Whether another order makes it another question. Whole parts that have changed places do not: in Java, how."""
    if rest.pairs or rest.asked or rest.kept or max(len(asked.tokens), len(kept.tokens)) > _LOOKED_AT:
        return False
    if foreign:
        one, two = ([token.text.lower() for token in text.tokens] for text in (asked, kept))
        return one != two and sorted(one) == sorted(two)
    one, two = ([token.lemma for token in text.content] for text in (asked, kept))
    if one == two or sorted(one) != sorted(two):
        return False
    if _asks_for_other_side(asked, kept) or _persons_exchanged(asked, kept) or _persons_exchanged(kept, asked):
        return True
    return len(one) >= _FEW and not _turned(one, two) and not _free(asked, kept)


def _asks_for_other_side(asked: TextProfile, kept: TextProfile) -> bool:
    """Who calls Ann, and whom does Ann call."""
    if asked.functions["be"] or kept.functions["be"]:
        return False  # what does it mean, what is the meaning of it
    first, second = (next((token.lemma for token in text.tokens), "") for text in (asked, kept))
    return first == second and first in _ASKING and bool(asked.functions["do"]) != bool(kept.functions["do"])


def _persons_exchanged(text: TextProfile, other: TextProfile) -> bool:
    acts, suffers = text.functions.keys(), other.functions.keys()
    return bool(acts & _SUBJECTS and suffers & _OBJECTS) and not acts & _OBJECTS and not suffers & _SUBJECTS


def _turned(one: Sequence[str], two: Sequence[str]) -> bool:
    """Whether the first part of the one is the last of the other."""
    return any([*one[place:], *one[:place]] == list(two) for place in range(1, len(one)))


def _free(asked: TextProfile, kept: TextProfile) -> bool:
    """Keywords, lists and relations that hold both ways; what is owned or within, which goes before or after."""
    small = asked.functions.keys() | kept.functions.keys()
    if any(text.functions.keys() <= _JOINING for text in (asked, kept)):
        return True
    if any(asked.functions[word] != kept.functions[word] for word in _OWNING):
        return True
    said = asked.counts.keys() | small | {token.text.lower() for token in asked.tokens}
    return not small.isdisjoint(_LISTING) or not said.isdisjoint(SYMMETRIC)
