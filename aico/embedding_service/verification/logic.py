"""And, or, both, all: what may be true together."""

from aico.embedding_service.verification.profile import TextProfile

_TOGETHER = frozenset({"both", "simultaneously", "together"})
_EVERY, _SOME = frozenset({"all", "every", "each"}), frozenset({"some", "any", "few", "one"})


def quantities_differ(asked: TextProfile, kept: TextProfile) -> bool:
    return _joined_otherwise(asked, kept) or _joined_otherwise(kept, asked)


def quantifiers_differ(asked: TextProfile, kept: TextProfile) -> bool:
    one, two = asked.functions.keys(), kept.functions.keys()
    return bool((one & _EVERY and two & _SOME - one) or (two & _EVERY and one & _SOME - two))


def _joined_otherwise(text: TextProfile, other: TextProfile) -> bool:
    """One text with or alone, the other with and alone, around words that they share in part."""
    mine, theirs = text.functions, other.functions
    if not mine["or"] or mine["and"] or theirs["or"] or theirs["between"]:
        return False
    together = theirs["and"] > 0 or any(word in theirs or word in other.counts for word in _TOGETHER)
    return together and bool(text.counts.keys() & other.counts.keys())
