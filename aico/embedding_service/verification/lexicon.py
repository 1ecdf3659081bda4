"""Lemmas, and which words mean the same, the opposite, or come from each other. Read on first use, kept per process."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

from aico.embedding_service.verification.groups import NATIONS, OPPOSITES, SAME

_T = TypeVar("_T")

FILE = Path(__file__).with_name("lexicon.txt.gz")  # from WordNet 3.1, see bench/cache/lexicon.py

_NEGATING = {"un": 4, "non": 4, "anti": 4, "in": 6, "im": 6, "ir": 6, "il": 5, "dis": 6, "de": 6}  # shortest stem
_BEFORE_VERBS = ("un", "re", "de", "dis")  # unblocking is no word of the dictionary, blocking is
_DOUBLED = frozenset("bdgmnprt")
_LONGEST = 30
_SHORT = 2  # letters of an abbreviation: js is no plural
_INFLECTIONS = frozenset({"", "s", "es", "ed", "d", "ing", "er", "r", "ers", "ly", "ment", "ion", "ation", "al"})
_LEAST_STEM = 4


@dataclass(frozen=True)
class _Relations:
    senses: Mapping[str, frozenset[int]]
    antonyms: Mapping[str, frozenset[str]]
    derived: Mapping[str, frozenset[str]]


@cache
def _relations() -> _Relations:
    senses: dict[str, set[int]] = {}
    pairs: dict[str, dict[str, set[str]]] = {"a": {}, "d": {}}
    for number, line in enumerate(gzip.decompress(FILE.read_bytes()).decode().splitlines()):
        kind, *words = line.split()
        if kind == "s":
            for word in words:
                senses.setdefault(word, set()).add(number)
        else:
            one, two = words
            pairs[kind].setdefault(one, set()).add(two)
            pairs[kind].setdefault(two, set()).add(one)
    return _Relations(_frozen(senses), _frozen(pairs["a"]), _frozen(pairs["d"]))


def _frozen(sets: dict[str, set[_T]]) -> Mapping[str, frozenset[_T]]:
    return {key: frozenset(values) for key, values in sets.items()}


@lru_cache(50_000)
def lemma(word: str) -> str:
    """The form of a dictionary of a folded English word; the word itself where it is none."""
    import simplemma  # noqa: PLC0415 - its dictionary takes 30 MB, which a process that compares nothing does without

    if len(word) > _LONGEST or (word in SAME and len(word) <= _SHORT):
        return word
    found = simplemma.lemmatize(word, lang="en").lower()
    if found != word:
        twice = found[-1:] in _DOUBLED and found[-2:-1] == found[-1:] and is_known(found[:-1])
        return found[:-1] if twice else found  # preferr
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and (len(word) > _LEAST_STEM or not is_known(word)):
        return word[:-1] if len(word) >= _LEAST_STEM and (word not in SAME or word[:-1] in SAME) else word
    if word.endswith("ed") and len(word) > _LEAST_STEM:
        doubled = (word[:-3],) if word[-3] == word[-4] else ()
        return next((stem for stem in (*doubled, word[:-1], word[:-2]) if is_known(stem)), word)
    prefix = next((prefix for prefix in _BEFORE_VERBS if word.startswith(prefix)), "")
    if prefix and word.endswith(("ing", "ed")) and not is_known(word):
        return prefix + lemma(word[len(prefix) :])
    return found


@lru_cache(50_000)
def is_known(word: str) -> bool:
    """Whether a dictionary holds the word, so that it is no slip of the fingers."""
    import simplemma  # noqa: PLC0415 - as above

    return simplemma.is_known(word, lang="en") or word in _relations().senses


def same_meaning(one: str, two: str) -> bool:
    """Of two lemmas: synonyms in a usual sense of both, or one short for the other."""
    if SAME.get(one, one) == SAME.get(two, two) or NATIONS.get(one, one) == NATIONS.get(two, two):
        return True
    senses = _relations().senses
    return not senses.get(one, _NONE).isdisjoint(senses.get(two, _NONE))


def opposite(one: str, two: str) -> bool:
    if frozenset((one, two)) in OPPOSITES or two in _relations().antonyms.get(one, ()):
        return True
    return _negates(one, two) or _negates(two, one)


def _negates(long: str, short: str) -> bool:
    if len(short) < _LEAST_STEM - 1 or len(long) <= len(short):
        return False
    if long.endswith(short):
        return len(short) >= _NEGATING.get(long[: -len(short)].rstrip("-"), _LONGEST)
    stem = short.removesuffix("ful").removesuffix("y")
    return long == f"{stem}less" and len(stem) >= _LEAST_STEM - 1


def derived(one: str, two: str) -> bool:
    """One made from the other: migrate, migration; or the same word with other endings."""
    if two in _relations().derived.get(one, ()):
        return True
    stem = min(len(one), len(two))
    common = next((place for place in range(stem) if one[place] != two[place]), stem)
    return common >= _LEAST_STEM and one[common:] in _INFLECTIONS and two[common:] in _INFLECTIONS


_NONE: frozenset[int] = frozenset()
