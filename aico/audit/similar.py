"""The nearest kept answer of one namespace for each of its questions: every pair is compared, in bounded blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aico.audit.vectors import Vectors

_BLOCK = 512  # questions
_CHUNK = 8192  # kept answers; a block takes _BLOCK * _CHUNK * 4 bytes, 16 MiB
_NEVER = -2.0  # below every cosine


class Question(NamedTuple):
    place: int
    fingerprint: bytes
    at: float
    ready: float  # when its answer is there


class Kept(NamedTuple):
    place: int
    fingerprint: bytes
    stored: float


@dataclass
class _Cache:
    """Answers of one namespace; `rows` are the places of their vectors."""

    ttl: float
    kept: list[Kept] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    by_fingerprint: dict[bytes, Kept] = field(default_factory=dict)

    def live(self, kept: Kept, now: float) -> bool:
        return kept.stored <= now and now - kept.stored < self.ttl

    def exact(self, question: Question) -> Kept | None:
        kept = self.by_fingerprint.get(question.fingerprint)
        return kept if kept is not None and self.live(kept, question.at) else None

    def keep(self, question: Question, row: int | None) -> None:
        kept = Kept(question.place, question.fingerprint, question.ready)
        before = self.by_fingerprint.get(question.fingerprint)
        if before is None or before.stored <= question.at:  # the first of several answers under way stays
            self.by_fingerprint[question.fingerprint] = kept
        if row is not None:
            self.kept.append(kept)
            self.rows.append(row)

    def drop_expired(self, now: float) -> None:
        if self.kept and now - self.kept[0].stored >= self.ttl:
            left = [place for place, kept in enumerate(self.kept) if now - kept.stored < self.ttl]
            self.kept, self.rows = [self.kept[place] for place in left], [self.rows[place] for place in left]


def nearest(
    questions: Sequence[Question],
    vectors: Vectors | None,
    known: NDArray[np.bool_],
    ttl: float,
    threshold: float,
) -> list[Kept | None]:
    """By question, in the order of time, the answer that it is served; None where the model is called.

    `vectors` has shape (questions, 384); rows that are not `known` are compared as identical or not at all. O(n * m)
    for n questions and m kept answers, in memory of one block.
    """
    cache, found = _Cache(ttl), list[Kept | None]()
    for start in range(0, len(questions), _BLOCK):
        block = range(start, min(start + _BLOCK, len(questions)))
        cache.drop_expired(questions[start].at)
        if vectors is None:
            found += [_one(cache, questions[place], None, None) for place in block]
        else:
            found += _block(cache, questions, block, vectors, known, threshold)
    return found


def _block(
    cache: _Cache,
    questions: Sequence[Question],
    block: range,
    vectors: Vectors,
    known: NDArray[np.bool_],
    threshold: float,
) -> list[Kept | None]:
    ours = vectors[block.start : block.stop].astype(np.float32)
    before = len(cache.kept)
    best, which = _best(cache, np.array([questions[place].at for place in block]), ours, vectors)
    among = ours @ ours.T
    found: list[Kept | None] = []
    for index, place in enumerate(block):
        near: Kept | None = None
        if known[place]:
            near = cache.kept[which[index]] if best[index] >= threshold else None
            if among[index, :index].max(initial=_NEVER) >= max(threshold, best[index]):
                near = _within(cache, questions[place].at, among[index], block.start, before, threshold) or near
        found.append(_one(cache, questions[place], near, place if known[place] else None))
    return found


def _within(
    cache: _Cache, now: float, cosines: NDArray[np.float32], start: int, before: int, threshold: float
) -> Kept | None:
    """The nearest of the answers that the block itself has brought."""
    live = [
        (float(cosines[row - start]), kept)
        for kept, row in zip(cache.kept[before:], cache.rows[before:], strict=True)
        if cosines[row - start] >= threshold and cache.live(kept, now)
    ]
    return max(live, key=lambda one: one[0])[1] if live else None


def _one(cache: _Cache, question: Question, near: Kept | None, row: int | None) -> Kept | None:
    served = cache.exact(question) or near
    if served is None:
        cache.keep(question, row)
    return served


def _best(
    cache: _Cache, times: NDArray[np.float64], ours: NDArray[np.float32], vectors: Vectors
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of the answers that were kept before the block: the highest cosine among live ones, and whose it is."""
    best, which = np.full(len(times), _NEVER, np.float32), np.zeros(len(times), np.int64)
    stored = np.array([kept.stored for kept in cache.kept])
    for start in range(0, len(cache.kept), _CHUNK):
        rows = cache.rows[start : start + _CHUNK]
        cosines = ours @ vectors[rows].astype(np.float32).T
        ages = times[:, None] - stored[None, start : start + _CHUNK]
        cosines[(ages < 0) | (ages >= cache.ttl)] = _NEVER
        top = cosines.argmax(axis=1)
        scores = cosines[np.arange(len(times)), top]
        better = scores > best
        best[better], which[better] = scores[better], start + top[better]
    return best, which
