"""What turns a question round: negation, opposites, more and less. Two of them may turn it back."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import pairwise

from aico.embedding_service.verification.lexicon import opposite
from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.residue import How, Residue
from aico.embedding_service.verification.words import MORE

_NEGATIVE = ("not", "without", "unable")
_SCOPE = 6  # tokens after a negation in which what it negates is looked for
_KNOWING = frozenset({"know", "sure", "understand", "certain", "clear", "idea", "clue"})  # not to know is to ask
_TROUBLE = frozenset(
    {
        "trouble",
        "fail",
        "failure",
        "problem",
        "issue",
        "break",
        "broken",
        "wrong",
        "refuse",
        "stop",
        "prevent",
        "avoid",
        "error",
    }
)
_MOST_LEFT = 6  # content words that differ: in freer words a negation may be meant by another word
_MEANINGLESS = {("or", "not"), ("not", "only"), ("why", "not"), ("not", "just")}


@dataclass(frozen=True)
class Polarity:
    negation: bool  # one text negates what the other has
    doubtful: bool  # the numbers of negations differ, and what they negate is not common to both
    degree: bool  # more against less
    opposites: int
    turned_back: bool  # two of the above, so that both say the same

    @property
    def opposed(self) -> bool:
        return bool(self.opposites or self.degree)


def polarity(asked: TextProfile, kept: TextProfile, rest: Residue, *, exchanged: bool) -> Polarity:
    differ = (negations(asked) - negations(kept)) % 2 == 1
    left = len(rest.pairs) + len(rest.asked) + len(rest.kept)
    negation = differ and left <= _MOST_LEFT and _common_scope(asked, kept, alone=left == 0)
    degree = _degree(asked) * _degree(kept) < 0 and _of_the_same(asked, kept, rest)
    opposites = len(rest.of(How.OPPOSITE)) + _small_opposites(asked, kept)
    turns = ((differ or degree) and _turns_opposite(asked, kept, rest)) + exchanged
    turned_back = rest.few and ((opposites == 1 and turns == 1) or (opposites == 0 and degree and exchanged))
    return Polarity(negation, differ and not negation, degree, opposites, turned_back)


def negations(text: TextProfile) -> int:
    count = sum(text.functions[word] for word in _NEGATIVE)
    if count:
        lemmas = [token.lemma for token in text.tokens]
        count -= sum(pair in _MEANINGLESS for pair in pairwise(lemmas))
        count -= sum(one in _NEGATIVE and two in _KNOWING for one, two in pairwise(lemmas))
    return count


def _common_scope(asked: TextProfile, kept: TextProfile, *, alone: bool) -> bool:
    """Whether what the one negates is in the other too. That something does not work may be said to ask how it does."""
    return any(
        (alone or scope in other.counts)
        and not _asks_for(text, other, unable=unable)
        and other.counts.keys().isdisjoint(_TROUBLE)
        for text, other in ((asked, kept), (kept, asked))
        if negations(text) > negations(other)
        for scope, unable in _scopes(text)
    )


def _asks_for(text: TextProfile, other: TextProfile, *, unable: bool) -> bool:
    if unable:
        return other.question != "whether"
    return text.question is None and other.question in {"how", "where", "why"}


def _scopes(text: TextProfile) -> Iterator[tuple[str, bool]]:
    """What each negation negates, and whether somebody says to be unable to do it, which asks how it is done."""
    lemmas = [token.lemma for token in text.tokens]
    for place, token in enumerate(text.tokens):
        if token.lemma in _NEGATIVE:
            scope = next((after.lemma for after in text.tokens[place + 1 : place + _SCOPE] if after.content), "")
            subject = lemmas[max(place - 2, 0) : place]
            yield scope, token.lemma == "unable" or scope == "able" or subject in (["i", "can"], ["we", "can"])


def _of_the_same(asked: TextProfile, kept: TextProfile, rest: Residue) -> bool:
    """Whether it is not another word that one has more of and the other less."""
    others = rest.of(How.OTHER)
    return not any(pair.asked in _governed(asked, MORE) and pair.kept in _governed(kept, MORE) for pair in others)


def _governed(text: TextProfile, words: Container[str]) -> Iterator[str]:
    """The content word behind each of the words."""
    for place, token in enumerate(text.tokens):
        if token.lemma in words:
            yield next((after.lemma for after in text.tokens[place + 1 : place + _SCOPE] if after.content), "")


def _turns_opposite(asked: TextProfile, kept: TextProfile, rest: Residue) -> bool:
    """Whether a negation, more or less stands before one of the words that are opposites."""
    words = {word for pair in rest.of(How.OPPOSITE) for word in (pair.asked, pair.kept)}
    return any(word in words for text in (asked, kept) for word in _governed(text, {*_NEGATIVE, *MORE}))


def _degree(text: TextProfile) -> int:
    return sum(sign * text.functions[word] for word, sign in MORE.items())


def _small_opposites(asked: TextProfile, kept: TextProfile) -> int:
    """Of function words: up and down. Those that are spoken of elsewhere, as negation or time is, are left out."""
    left, right = asked.functions.keys() - kept.functions.keys(), kept.functions.keys() - asked.functions.keys()
    return sum(opposite(one, two) for one in left & _TURNING for two in right & _TURNING)


_TURNING = frozenset(["up", "down", "on", "off", "over", "under", "above", "below", "in", "out"])
