"""Labelled pairs of prompts for the fit of the verifier: templates of our own, filled at random, and phrasings by hand.

A template is two sentences and whether one answer serves both. `{job}` is a word of that list, the same on both sides;
`{job2}` is another word of the list. `{opposite.0}` and `{opposite.1}` are the halves of an entry "open/close".
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

_SLOT = re.compile(r"\{([a-z_]+)(\d?)(?:\.([01]))?\}")
_PHRASINGS = Path(__file__).with_name("phrasings.txt")
_TEMPLATES = Path(__file__).with_name("templates.txt")
_VOCABULARY = Path(__file__).with_name("vocabulary.txt")


@dataclass(frozen=True, slots=True)
class Labelled:
    template: str  # pairs of one template are never on both sides of a fold
    asked: str
    kept: str
    same: bool


@cache
def _words() -> dict[str, list[str]]:
    """By kind of slot, the words that may fill it."""
    lines = [line for line in _VOCABULARY.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    kinds = re.findall(r"^(\w+): (.*?)(?=^\w|\Z)", "\n".join(lines), re.MULTILINE | re.DOTALL)
    return {kind: [" ".join(word.split()) for word in words.split("|")] for kind, words in kinds}


def labelled(each: int, seed: int = 0) -> list[Labelled]:
    """`each` pairs of every template, and all pairs of the phrasings."""
    rng = random.Random(seed)
    return [*_filled(each, rng), *_phrased()]


def _filled(each: int, rng: random.Random) -> Iterator[Labelled]:
    for line in _TEMPLATES.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        sign, sentences = line[0], line[2:]
        asked, kept = sentences.split(" | ")
        for _ in range(each):
            chosen: dict[str, str] = {}
            one, two = (_fill(sentence, chosen, rng) for sentence in (asked, kept))
            if rng.random() < 0.5:
                one, two = two, one
            yield Labelled(sentences, one, two, sign == "=")


def _fill(sentence: str, chosen: dict[str, str], rng: random.Random) -> str:
    def word(found: re.Match[str]) -> str:
        kind, number, half = found.groups()
        slot = kind + number
        if slot not in chosen:
            taken = {value for name, value in chosen.items() if name.rstrip("123456789") == kind}
            chosen[slot] = rng.choice([one for one in _words()[kind] if one not in taken])
        return chosen[slot].split("/")[int(half)] if half else chosen[slot]

    return _articles(_SLOT.sub(word, sentence))


def _articles(text: str) -> str:
    text = re.sub(r"\b([Aa]) (?=[aeioAEIO])", r"\1n ", text)
    return re.sub(r"\b([Aa])n (?=[bcdfghjklmnpqrstvwxyzBCDFGHJKLMNPQRSTVWXYZ])", r"\1 ", text)


def _phrased() -> Iterator[Labelled]:
    blocks = _PHRASINGS.read_text(encoding="utf-8").split("\n\n")
    for block in blocks:
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        same: Sequence[str] = [line for line in lines if not line.startswith("!")]
        others = [line[2:] for line in lines if line.startswith("!")]
        for one, two in combinations(same, 2):
            yield Labelled(same[0], one, two, same=True)
        for one in same:
            for other in others:
                yield Labelled(same[0], one, other, same=False)
        for one, two in combinations(others, 2):
            yield Labelled(same[0], one, two, same=False)
