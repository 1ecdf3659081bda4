"""Names, and pronouns that may stand for another person."""

from aico.embedding_service.verification.lexicon import is_known
from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.residue import How, Residue

_SEVERAL = 2  # names that a pronoun may stand for


def names_differ(asked: TextProfile, kept: TextProfile, rest: Residue) -> bool:
    """A name on each side, for which the other text has another."""
    for pair in rest.of(How.OTHER):
        one, two = pair.asked in asked.names, pair.kept in kept.names
        if (one and two) or (one and not is_known(pair.kept)) or (two and not is_known(pair.asked)):
            return True
    return any(word in asked.names for word in rest.asked) and any(word in kept.names for word in rest.kept)


def names_added(asked: TextProfile, kept: TextProfile, rest: Residue) -> int:
    """Names that the other text does not say, other than part of one that it does: Ada Lovelace, Lovelace."""
    return sum(
        word in text.names - text.acronyms and not _beside_shared(word, text, other)
        for text, other, words in ((asked, kept, rest.asked), (kept, asked, rest.kept))
        for word in words
    )


def _beside_shared(word: str, text: TextProfile, other: TextProfile) -> bool:
    lemmas = [token.lemma for token in text.tokens]
    at = lemmas.index(word)
    return any(near in text.names and near in other.counts for near in lemmas[max(at - 1, 0) : at + 2] if near != word)


def pronouns_differ(asked: TextProfile, kept: TextProfile) -> bool:
    """He for she, the two exchanged, or a pronoun for one of several people that it may stand for."""
    one, two = asked.gendered, kept.gendered
    if one and two:
        return one != two and (len(one) == len(two) or set(one) != set(two))
    return _resolved(asked, kept) or _resolved(kept, asked)


def _resolved(text: TextProfile, other: TextProfile) -> bool:
    """Whether the other says again one of the names of this text, where this text has a pronoun."""
    if not text.people or other.people or len(text.names) < _SEVERAL:
        return False
    return any(other.counts[name] > text.counts[name] for name in text.names)
