"""The nearest kept answers of one namespace for each of its questions: every pair is compared, in bounded blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aico.audit.vectors import Vectors

_BLOCK = 512  # questions
_CHUNK = 8192  # kept answers; a block takes _BLOCK * _CHUNK * 4 bytes, 16 MiB, and places twice that
_NEVER = -2.0  # below every cosine


class Question(NamedTuple):
    place: int
    fingerprint: bytes
    at: float
    ready: float  # when its answer is there
    life: float  # seconds that this is kept


class Kept(NamedTuple):
    place: int
    fingerprint: bytes
    stored: float
    until: float

    def live(self, now: float) -> bool:
        return self.stored <= now < self.until


class Near(NamedTuple):
    kept: Kept
    cosine: float


# Of a question's place and the answers near it, nearest first: which of them is served.
Decide = Callable[[int, Sequence[Near]], Kept | None]


@dataclass
class _Cache:
    """Answers of one namespace; `rows` are the places of their vectors."""

    kept: list[Kept] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    by_fingerprint: dict[bytes, Kept] = field(default_factory=dict)

    def exact(self, question: Question) -> Kept | None:
        kept = self.by_fingerprint.get(question.fingerprint)
        return kept if kept is not None and kept.live(question.at) else None

    def keep(self, question: Question, row: int | None) -> None:
        kept = Kept(question.place, question.fingerprint, question.ready, question.ready + question.life)
        before = self.by_fingerprint.get(question.fingerprint)
        if before is None or before.stored <= question.at:  # the first of several answers under way stays
            self.by_fingerprint[question.fingerprint] = kept
        if row is not None:
            self.kept.append(kept)
            self.rows.append(row)

    def drop_expired(self, now: float) -> None:
        left = [place for place, kept in enumerate(self.kept) if now < kept.until]
        if len(left) < len(self.kept):
            self.kept, self.rows = [self.kept[place] for place in left], [self.rows[place] for place in left]


@dataclass(frozen=True)
class Search:
    """How near answers are found: up to `count` of at least the cosine `least`, and which is served."""

    least: float
    count: int
    decide: Decide


def served_by(
    questions: Sequence[Question], vectors: Vectors | None, known: NDArray[np.bool_], search: Search
) -> list[Kept | None]:
    """By question, in the order of time, the answer that it is served; None where the model is called.

    `vectors` has shape (questions, 384); rows that are not `known` are compared as identical or not at all. O(n * m)
    for n questions and m kept answers, in memory of one block.
    """
    cache, found = _Cache(), list[Kept | None]()
    for start in range(0, len(questions), _BLOCK):
        block = range(start, min(start + _BLOCK, len(questions)))
        cache.drop_expired(questions[start].at)
        if vectors is None:
            found += [_one(cache, questions[place], (), None, search) for place in block]
        else:
            found += _block(cache, questions, block, vectors, known, search)
    return found


def _block(
    cache: _Cache,
    questions: Sequence[Question],
    block: range,
    vectors: Vectors,
    known: NDArray[np.bool_],
    search: Search,
) -> list[Kept | None]:
    ours = vectors[block.start : block.stop].astype(np.float32)
    before = len(cache.kept)
    best, which = _best(cache, np.array([questions[place].at for place in block]), ours, vectors, search)
    among = ours @ ours.T
    found: list[Kept | None] = []
    for index, place in enumerate(block):
        near: list[Near] = []
        if known[place]:
            near = [
                Near(cache.kept[one], float(cosine))
                for cosine, one in zip(best[index], which[index], strict=True)
                if cosine >= search.least
            ]
            if among[index, :index].max(initial=_NEVER) >= search.least:
                near += _within(cache, questions[place].at, among[index], (block.start, before), search)
            near = sorted(near, key=lambda one: -one.cosine)[: search.count]
        found.append(_one(cache, questions[place], near, place if known[place] else None, search))
    return found


def _within(
    cache: _Cache, now: float, cosines: NDArray[np.float32], begun: tuple[int, int], search: Search
) -> list[Near]:
    """Of the answers that the block itself has brought; `begun` tells its first question, and its first answer."""
    start, before = begun
    rows = np.array(cache.rows[before:], np.int64) - start
    return [
        Near(cache.kept[before + place], float(cosines[rows[place]]))
        for place in np.flatnonzero(cosines[rows] >= search.least).tolist()
        if cache.kept[before + place].live(now)
    ]


def _one(cache: _Cache, question: Question, near: Sequence[Near], row: int | None, search: Search) -> Kept | None:
    served = cache.exact(question) or (search.decide(question.place, near) if near else None)
    if served is None:
        cache.keep(question, row)
    return served


def _best(
    cache: _Cache, times: NDArray[np.float64], ours: NDArray[np.float32], vectors: Vectors, search: Search
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of the answers that were kept before the block: the highest cosines among live ones, and whose they are.

    Both of shape (questions, search.count), in no order.
    """
    best = np.full((len(times), search.count), _NEVER, np.float32)
    which = np.zeros(best.shape, np.int64)
    stored = np.array([kept.stored for kept in cache.kept])
    until = np.array([kept.until for kept in cache.kept])
    for start in range(0, len(cache.kept), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        cosines = ours @ vectors[cache.rows[chunk]].astype(np.float32).T
        cosines[(times[:, None] < stored[None, chunk]) | (times[:, None] >= until[None, chunk])] = _NEVER
        touched = np.flatnonzero(cosines.max(axis=1) >= search.least)
        if not len(touched):
            continue
        top = cosines[touched]
        places = np.argpartition(top, -min(search.count, top.shape[1]), axis=1)[:, -search.count :]
        scores = np.hstack([best[touched], np.take_along_axis(top, places, 1)])
        owners = np.hstack([which[touched], start + places])
        kept = np.argpartition(scores, -search.count, axis=1)[:, -search.count :]
        best[touched], which[touched] = np.take_along_axis(scores, kept, 1), np.take_along_axis(owners, kept, 1)
    return best, which
