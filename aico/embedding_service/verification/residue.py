"""The content of each text that the other has not: matched by meaning as far as that goes."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from aico.embedding_service.verification.groups import OPPOSITES
from aico.embedding_service.verification.lexicon import derived, is_known, opposite, same_meaning
from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.tokens import Kind
from aico.embedding_service.verification.vectors import WordVectors

_FEW = 2
_MOST_PAIRED = 6  # words a side that are held against each other
_LEAST_SLIP = 5  # letters of a word in which a slip of the fingers is believed
_LEAST_INITIALS = 2
_UNKNOWN_COSINE = 0.25  # of two words, where no vectors are there: about the mean of different words


class How(StrEnum):
    SAME = "same"  # another form, an abbreviation, a misspelling
    SYNONYM = "synonym"
    OPPOSITE = "opposite"
    OTHER = "other"


_RANK = {How.SAME: 3, How.SYNONYM: 2, How.OPPOSITE: 2, How.OTHER: 0}


class Pair(NamedTuple):
    asked: str
    kept: str
    how: How
    cosine: float


@dataclass(frozen=True)
class Residue:
    pairs: tuple[Pair, ...]
    asked: tuple[str, ...]  # lemmas that stand for nothing in the kept text
    kept: tuple[str, ...]

    @property
    def few(self) -> bool:
        """Whether so little differs that the texts are one sentence in two variants, not two ways to put it."""
        return len(self.pairs) + len(self.asked) + len(self.kept) <= _FEW

    def of(self, how: How) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.how is how)


def residue(asked: TextProfile, kept: TextProfile, vectors: WordVectors | None) -> Residue:
    left, right = _less(asked.counts, kept.counts), _less(kept.counts, asked.counts)
    left, right, joined = _written_apart(left, right)
    paired = sorted(
        _candidates(left[:_MOST_PAIRED], right[:_MOST_PAIRED], asked, kept, vectors),
        key=_goodness,
        reverse=True,
    )
    pairs = [*joined]
    for pair in paired:
        if pair.asked in left and pair.kept in right and _may_pair(pair, asked, kept):
            left.remove(pair.asked)
            right.remove(pair.kept)
            pairs.append(pair)
    return Residue(tuple(pairs), tuple(left), tuple(right))


def _less(counts: Counter[str], others: Counter[str]) -> list[str]:
    return [lemma for lemma, count in counts.items() if count > others.get(lemma, 0)]


def _written_apart(left: list[str], right: list[str]) -> tuple[list[str], list[str], list[Pair]]:
    """Without what one text writes as one word and the other as two or with other marks: node.js, nodejs, node js."""
    pairs = list[Pair]()
    for here, there, mine in ((left, right, True), (right, left, False)):
        if len(here) > _MOST_PAIRED or len(there) > _MOST_PAIRED:
            continue
        for word in tuple(here):
            parts = _making(_letters(word), there)
            if word in here and parts:
                here.remove(word)
                for part in parts:
                    there.remove(part)
                whole = " ".join(parts)
                pairs.append(Pair(word, whole, How.SAME, 1.0) if mine else Pair(whole, word, How.SAME, 1.0))
    return left, right, pairs


def _making(letters: str, words: list[str]) -> list[str]:
    """Which of the words, spelled together or by their initials, make these letters."""
    if len(letters) < _LEAST_INITIALS:
        return []
    for place, word in enumerate(words):
        initials = words[place : place + len(letters)]
        if len(letters) <= len(initials) and "".join(part[:1] for part in initials) == letters:
            return initials
        if len(letters) >= _LEAST_SLIP and _letters(word) == letters:
            return [word]
        if len(letters) >= _LEAST_SLIP and place + 1 < len(words) and _letters(word + words[place + 1]) == letters:
            return [word, words[place + 1]]
    return []


def _letters(word: str) -> str:
    return "".join(filter(str.isalnum, word[:60])).lower()


def _candidates(
    left: Sequence[str], right: Sequence[str], asked: TextProfile, kept: TextProfile, vectors: WordVectors | None
) -> Iterator[Pair]:
    cosines = vectors.cosines(left, right) if vectors and left and right else None
    for row, one in enumerate(left):
        for column, two in enumerate(right):
            kinds = asked.kinds[one], kept.kinds[two]
            if max(kinds) > Kind.WORD:
                yield Pair(one, two, How.OTHER, 0.0)
                continue
            named = one in asked.names or two in kept.names
            how = _relation(one, two, light=Kind.LIGHT in kinds, named=named)
            yield Pair(one, two, how, cosines[row][column] if cosines else _UNKNOWN_COSINE)


@lru_cache(50_000)
def _relation(one: str, two: str, *, light: bool, named: bool) -> How:
    """Go and come say little, and are opposites of much: `light` words are opposed only where a list says so.

    A name is never taken for another one that was mistyped.
    """
    if opposite(one, two) and not (light and frozenset((one, two)) not in OPPOSITES):
        return How.OPPOSITE
    if derived(one, two) or (_unmarked(one) == _unmarked(two) if named else slip(one, two)):
        return How.SAME
    return How.SYNONYM if same_meaning(one, two) else How.OTHER


def _unmarked(name: str) -> str:
    """Without accents, which foreign names lose."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", name[:60]) if not unicodedata.combining(letter))


def _goodness(pair: Pair) -> tuple[int, float, str, str]:
    return _RANK[pair.how], pair.cosine, min(pair.asked, pair.kept), max(pair.asked, pair.kept)


def _may_pair(pair: Pair, asked: TextProfile, kept: TextProfile) -> bool:
    """Light words stand for light words only, and code and numbers for each other."""
    if pair.how is not How.OTHER:
        return True
    one, two = asked.kinds[pair.asked], kept.kinds[pair.kept]
    return one == two


def slip(one: str, two: str) -> bool:
    """Whether one is the other but for one letter or two exchanged, and is no word itself."""
    if (
        not (one + two).isalpha()
        or min(len(one), len(two)) < _LEAST_SLIP
        or abs(len(one) - len(two)) > 1
        or (is_known(one) and is_known(two))
    ):
        return False
    short, long = sorted((one, two), key=len)
    same = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    if len(short) == len(long):
        exchanged = short[same : same + 2] == long[same : same + 2][::-1] and short[same + 2 :] == long[same + 2 :]
        return exchanged or short[same + 1 :] == long[same + 1 :]
    return short[same:] == long[same + 1 :]
