"""Text as tokens: words with their lemmas, numbers, code. Linear in the length of the text."""

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from aico.embedding_service.verification.groups import UNITS
from aico.embedding_service.verification.lexicon import is_known, lemma
from aico.embedding_service.verification.words import FILLER, FOREIGN, FUNCTION, LIGHT, NEGATORS, NUMBERS, ROLES

MOST_TOKENS = 4_000
_LONGEST_CHUNK = 120  # characters without white space; a longer one is one opaque token

_SENTENCE_ENDS = (".", "!", "?", ":", '."', '?"')
_OPENING, _CLOSING = "([{'\"“\u2018«*_`<", ".,;:!?)]}'\"”\u2019»…*_`>"
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
_AMOUNT = re.compile(
    r"(?P<before>[$€£¥₹<>=~≥≤]*)(?P<number>[-+]?\d+(?:[.,]\d+)*)(?P<after>[^\W\d_]{0,12}|%|°[^\W\d_]?|\+|!)"
)
_MARKED = re.compile(r"[A-Za-z]{1,12}(?:\+\+|#)")
_OPERATOR = re.compile(r"[^\W\d_][\w-]{0,30}:[^\s:/].{0,80}")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_DOTTED = re.compile(r"(?:[A-Za-z]\.){1,6}[A-Za-z]")
_UNITED_STATES = re.compile(r"\bunited states(?: of america)?\b", re.IGNORECASE)
_PARTS = re.compile(r"[-/,;:|&+\u2013—…()]+")
_CODE = re.compile(r"[_\\{}=<>$@~^`]|::|\(\)|\w\.\w|^(?:--?|\+)\w|^[./~]|//|\w\(|[^\w\s]{3}")
_SYMBOL = re.compile(r"[-=<>!+*/%&|^~→⇒➔]{1,3}")
_DECORATION = frozenset({"--", "---", "&", "|", "||", "**", "***", "!", "~"})
ARITHMETIC = frozenset("+-*/")  # in prose they mean nothing
POSSESSIVE = "'s"
_ENDINGS = {
    "n't": "not",
    "'s": POSSESSIVE,
    "'m": "be",
    "'re": "be",
    "'ve": "have",
    "'ll": "will",
    "'d": "would",
}
_WHOLE = {"can't": ("can", "not"), "won't": ("will", "not"), "cannot": ("can", "not"), "shan't": ("should", "not")}
_NEGATED = "is are was were do does did could would should must has have had"
_BARE = {
    f"{start}nt": (FUNCTION[start], "not")
    for start in (
        ["is", "are", "was", "were", "do", "does", "did", "could", "would", "should", "must", "has", "have", "had"]
    )
} | {"cant": ("can", "not"), "wont": ("will", "not"), "whats": ("what", "be"), "im": ("i", "be")}


class Kind(IntEnum):
    FILLER = 0
    FUNCTION = 1
    LIGHT = 2
    WORD = 3
    NUMBER = 4
    CODE = 5


class Token(NamedTuple):
    text: str  # as it was written
    lemma: str  # what it is compared by
    kind: Kind

    @property
    def content(self) -> bool:
        return self.kind >= Kind.LIGHT


class Tokens(NamedTuple):
    all: tuple[Token, ...]
    starts: frozenset[int]  # places at which a sentence begins


def tokenise(text: str) -> Tokens:
    """At most MOST_TOKENS; what is beyond them is one token of its own."""
    chunks = _UNITED_STATES.sub("US", text).split(None, MOST_TOKENS)
    rest = chunks.pop() if len(chunks) > MOST_TOKENS else None
    tokens, starts = list[Token](), {0}
    for chunk in chunks:
        tokens += pieces(chunk)
        if chunk.endswith(_SENTENCE_ENDS):
            starts.add(len(tokens))
    if len(tokens) > MOST_TOKENS:
        rest = " ".join(token.lemma for token in tokens[MOST_TOKENS:]) + (rest or "")
    if rest is not None:
        tokens = [*tokens[:MOST_TOKENS], Token(rest, rest, Kind.CODE)]
    return Tokens(tuple(tokens), frozenset(starts))


@lru_cache(50_000)
def pieces(chunk: str) -> tuple[Token, ...]:
    """The tokens of a run of characters without white space."""
    if len(chunk) > _LONGEST_CHUNK and not _CJK.search(chunk):
        return (Token(chunk, chunk, Kind.CODE),)
    return tuple(_pieces(chunk))


def _pieces(chunk: str) -> Iterator[Token]:
    bare = chunk.lstrip(_OPENING)
    bare = bare if bare[-1:] == "!" and bare[:-1].isdigit() else bare.rstrip(_CLOSING)
    if bare.isalpha() and bare.isascii():
        yield from words(bare)
    elif _SYMBOL.fullmatch(chunk):
        yield from _symbol(chunk)
    elif not bare:
        return
    elif _MARKED.fullmatch(bare):
        yield Token(bare, bare.lower(), Kind.WORD)
    elif amount := _AMOUNT.fullmatch(bare):
        yield from _amount(amount)
    elif _DOTTED.fullmatch(bare):
        yield from words(bare.replace(".", "").upper())
    elif _OPERATOR.fullmatch(bare):
        yield Token(bare, bare.lower(), Kind.CODE)
    elif _CODE.search(bare):
        yield Token(bare, bare, Kind.CODE)
    else:
        yield from _mixed(bare)


def _symbol(chunk: str) -> Iterator[Token]:
    if chunk in ROLES:
        yield Token(chunk, ROLES[chunk], Kind.FUNCTION)
    elif chunk == "&":
        yield Token(chunk, "and", Kind.FUNCTION)
    elif chunk in ARITHMETIC:
        yield Token(chunk, chunk, Kind.FUNCTION)
    elif chunk not in _DECORATION:
        yield Token(chunk, chunk, Kind.CODE)


def _amount(found: re.Match[str]) -> Iterator[Token]:
    """A number, then the unit that is written with it."""
    before, number, after = found["before"], found["number"], found["after"].lower()
    if after in {"st", "nd", "rd", "th", "+", "!"} or set(before) & set("<>=~≥≤"):
        yield Token(found[0], found[0].lower(), Kind.NUMBER)
        return
    if after == "k":
        number, after = f"{plain(number)}000" if number.isdigit() else f"{number}k", ""
    yield Token(number, plain(number), Kind.NUMBER)
    if before or after:
        unit = before or after
        yield Token(unit, UNITS.get(unit, unit), Kind.WORD)


def plain(number: str) -> str:
    """1,000 as 1000 and 2.0 as 2; 3.10 may be a version, and stays."""
    if re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", number):
        number = number.replace(",", "")
    return re.sub(r"\.0{1,9}$", "", number) if number.count(".") == 1 else number


def _mixed(chunk: str) -> Iterator[Token]:
    for part in _PARTS.split(chunk):
        if not part:
            continue
        if _CJK.search(part):
            yield from (Token(letter, letter, Kind.WORD) for letter in part[:_LONGEST_CHUNK])
        elif amount := _AMOUNT.fullmatch(part):
            yield from _amount(amount)
        elif _WORD.fullmatch(part):
            yield from words(part)
        else:
            yield Token(part, part.lower(), Kind.NUMBER if any(map(str.isdigit, part)) else Kind.WORD)


@lru_cache(50_000)
def words(written: str) -> tuple[Token, ...]:
    """A word; two where it is a contraction."""
    word = written.replace("\u2019", "'").lower()
    if written == "US":
        return (Token(written, "united_states", Kind.WORD),)
    if word in _WHOLE or word in _BARE:
        one, two = _WHOLE.get(word) or _BARE[word]
        return Token(written, one, Kind.FUNCTION), Token(written, two, Kind.FUNCTION)
    for ending, meant in _ENDINGS.items():
        if word.endswith(ending) and word != ending:
            stem = written[: -len(ending)]
            what_is = meant == POSSESSIVE and stem.lower() in FUNCTION
            return *words(stem), Token(written, "be" if what_is else meant, Kind.FUNCTION)
    return (_word(written, word),)


def _word(written: str, word: str) -> Token:
    if word in NEGATORS:
        return Token(written, "not" if word not in {"without", "unable"} else word, Kind.FUNCTION)
    if word in FUNCTION:
        return Token(written, FUNCTION[word], Kind.FUNCTION)
    if word in FILLER:
        return Token(written, word, Kind.FILLER)
    if word in FOREIGN and not is_known(word):
        return Token(written, word, Kind.FUNCTION)
    if word in NUMBERS:
        return Token(written, NUMBERS[word], Kind.NUMBER)
    found = UNITS.get(word) or lemma(word)
    return Token(written, found, Kind.LIGHT if found in LIGHT or word in LIGHT else Kind.WORD)
