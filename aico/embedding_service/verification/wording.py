"""How far two texts go along word for word."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from aico.embedding_service.verification.groups import UNITS
from aico.embedding_service.verification.lexicon import is_known
from aico.embedding_service.verification.profile import TextProfile
from aico.embedding_service.verification.residue import Residue
from aico.embedding_service.verification.tokens import ARITHMETIC, POSSESSIVE, Token
from aico.embedding_service.verification.words import ARTICLES, FUNCTION, NEGATORS, NUMBERS, POINTING

_LONGEST = 400  # characters of a text in which one slip is looked for
_DETERMINERS = ARTICLES | {"my", "your", "our", "this", "that", POSSESSIVE} | ARITHMETIC
_LEAST_SLIP = 5  # letters of a word in which one letter may be a slip; two exchanged are believed in any
_SMALL = frozenset(FUNCTION)
_TELLING = NEGATORS | UNITS.keys() | NUMBERS.keys()  # never written by mistake, as far as we dare say
_TWO = 2  # letters, one for the other


def rigid(asked: TextProfile, kept: TextProfile, rest: Residue) -> bool:
    """Whether all that both say stands in the same order: then what differs was put there on purpose."""
    left = {word for pair in rest.pairs for word in (pair.asked, pair.kept)} | {*rest.asked, *rest.kept}
    one, two = ([word for word in _said(text) if word not in left] for text in (asked, kept))
    if rest.pairs or (rest.asked and rest.kept):
        return one == two
    short, long = sorted((one, two), key=len)
    words = iter(long)
    return all(word in words for word in short)  # in this order


def verbatim(asked: TextProfile, kept: TextProfile) -> bool:
    """Whether both say the same words in the same order, but for words that add nothing."""
    return _said(asked) == _said(kept)


def _said(text: TextProfile) -> list[str]:
    return [token.lemma for token in text.tokens if token.kind and token.lemma not in _DETERMINERS]


def beside_the_question(asked: TextProfile, kept: TextProfile) -> bool:
    """Whether both end in the same question, which says all that it is about, and differ in what stands before it."""
    one, two = _last(asked), _last(kept)
    if len(one) == len(asked.tokens) or len(two) == len(kept.tokens) or not _asks(asked, kept):
        return False
    same = [token.lemma for token in one] == [token.lemma for token in two]
    return same and any(token.content for token in one) and not any(token.text.lower() in POINTING for token in one)


def _asks(*texts: TextProfile) -> bool:
    return all(text.text.rstrip().endswith("?") for text in texts)


def _last(text: TextProfile) -> Sequence[Token]:
    """The tokens of the last sentence."""
    return text.tokens[max((start for start in text.starts if start < len(text.tokens)), default=0) :]


def mistyped(asked: TextProfile, kept: TextProfile) -> bool:
    """Whether a slip of the fingers is all the difference: it makes no word of one, or spoils a small one."""
    one, two = asked.folded, kept.folded
    if abs(len(one) - len(two)) > 1 or max(len(one), len(two)) > _LONGEST or asked.codelike or kept.codelike:
        return False
    start, end = _common(one, two)
    left, right = one[start : len(one) - end], two[start : len(two) - end]
    exchanged = len(left) == _TWO and left == right[::-1]
    if not exchanged and max(len(left), len(right)) > 1:
        return False
    if not all(letter.isalpha() or letter == " " for letter in left + right):
        return False
    words = [_around(text, start, len(text) - end) for text in (one, two)]
    return _slipped(*words, exchanged=exchanged, named=asked.names | kept.names)


def _common(one: str, two: str) -> tuple[int, int]:
    """Characters at the beginning and at the end that both have."""
    start, most = 0, min(len(one), len(two))
    while start < most and one[start] == two[start]:
        start += 1
    end = 0
    while end < most - start and one[-1 - end] == two[-1 - end]:
        end += 1
    return start, end


def _slipped(one: Sequence[str], two: Sequence[str], *, exchanged: bool, named: AbstractSet[str]) -> bool:
    """Of the words around the slip, in both texts."""
    joined, other = "".join(one), "".join(two)
    if any(letter.isdigit() for letter in joined + other) or any(word in _TELLING for word in (*one, *two)):
        return False
    if joined == other:
        return True  # a space in the wrong place
    small, other_small = (all(word in _SMALL for word in each) for each in (one, two))
    if small != other_small:
        return exchanged or (len(joined) >= len(other) if small else len(other) >= len(joined))
    if any(word in named for word in (*one, *two)):
        return False
    if not exchanged and max(map(len, (*one, *two)), default=0) < _LEAST_SLIP:
        return False
    unknown, other_unknown = (not all(map(_is_word, each)) for each in (one, two))
    return unknown != other_unknown or (exchanged and unknown)


def _around(text: str, start: int, end: int) -> list[str]:
    """The words that the characters from `start` to `end` are part of."""
    first = text.rfind(" ", 0, start) + 1
    last = text.find(" ", end)
    return [word.strip("?!.,;:'\"()") for word in text[first : last if last >= 0 else len(text)].split()]


def _is_word(word: str) -> bool:
    return word in FUNCTION or not word or is_known(word)
