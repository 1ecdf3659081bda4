"""Counts that a text wears on its surface. They tell sorts of prompts apart without a model; each takes linear time."""

import re
from math import log1p, sqrt
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"[a-z]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_OPTION = re.compile(r"^[ \t]*\(?[A-J][.):]\s", re.MULTILINE)
_NEGATIONS = frozenset(("not", "except", "never", "no", "none", "neither", "without", "false", "incorrect"))
_LONG_WORD = 8  # letters


def _bytes_that(fit: str) -> NDArray[np.float64]:
    return np.array([float(chr(code) in fit) for code in range(256)])


_ASCII = "".join(map(chr, range(128)))
_KINDS = MappingProxyType(
    {
        "digits": _bytes_that("0123456789"),
        "capitals": _bytes_that("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        "pauses": _bytes_that(",;:"),
        "quotes": _bytes_that("\"'"),
        "lines": _bytes_that("\n"),
        "symbols": _bytes_that(
            "".join(c for c in _ASCII if not c.isalnum() and not c.isspace() and c not in ".,;:?!\"'()")
        ),
        "foreign": 1.0 - _bytes_that(_ASCII),
    }
)
_TABLE = np.stack(list(_KINDS.values()), axis=1)
SURFACE_COUNT = 18


def surface(text: str) -> tuple[float, ...]:
    """SURFACE_COUNT numbers, most of them logarithms of counts."""
    seen = np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)
    counted = np.bincount(seen, minlength=256) @ _TABLE
    counts: dict[str, float] = dict(zip(_KINDS, counted.tolist(), strict=True))
    words = _WORD.findall(text.lower())
    lengths = list(map(len, words))
    length, many = max(1, len(text)), max(1, len(words))
    return (
        *(log1p(count) for count in counts.values()),
        log1p(len(words)),
        log1p(len(_NUMBER.findall(text))),
        log1p(len(_SENTENCE_END.findall(text))),
        log1p(len(_OPTION.findall(text))),
        log1p(sum(word in _NEGATIONS for word in words)),
        sum(lengths) / many,
        sum(letters >= _LONG_WORD for letters in lengths) / many,
        len(set(words)) / many,
        counts["digits"] / length,
        counts["symbols"] / length,
        sqrt(length),
    )
