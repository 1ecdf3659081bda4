"""What the service's cache would have served, had it stood in front of these calls: simulated in the order of time.

As in the service: an answer is kept from the moment it is there until its time to live is over; an identical request
is served first, then what the service's own decider serves of the near ones of the same namespace, as in a namespace
of which nothing is known yet; what was served is not kept again. The whole log is one tenant.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aico.audit.gather import Log
from aico.audit.rows import Row, year_of
from aico.audit.similar import Kept, Near, Question, Search, served_by
from aico.caching.deciding import Decider, Known, timely
from aico.caching.neighbourhood import NEIGHBOURS
from aico.core.cache_policy import GuardPolicy
from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.vectors import WordVectors

MISS, EXACT, NEAR = 0, 1, 2


@dataclass(frozen=True)
class Served:
    """By row: how it was served, and by the answer to which row (-1: none), which was `ages` seconds old."""

    how: NDArray[np.int8]
    source: NDArray[np.int64]
    ages: NDArray[np.float64]

    def mask(self, how: int) -> NDArray[np.bool_]:
        return np.asarray(self.how == how, np.bool_)


def lives_of(log: Log, ttl: float, short_ttl: float) -> NDArray[np.float64]:
    """By row, the seconds that an answer is kept; without end in a log that has no times."""
    lives = [min(ttl, short_ttl) if row.passing else ttl for row in log.rows]
    return np.array(lives if log.timed else np.full(len(lives), np.inf), np.float64)


def serve_exact(log: Log, lives: NDArray[np.float64]) -> Served:
    """Identical requests alone."""
    served = _nothing(log)
    kept: dict[bytes, tuple[float, int]] = {}
    for place, (row, now) in enumerate(zip(log.rows, log.times.tolist(), strict=True)):
        if not row.cacheable:
            continue
        stored, source = kept.get(row.fingerprint, (now + 1, -1))
        if stored <= now and now - stored < lives[place]:
            _serve(served, place, source, EXACT, now - stored)
        elif source < 0 or stored <= now:  # a call under way is not waited for; the first answer stays
            kept[row.fingerprint] = (_ready(row, now), place)
    return served


def serve_both(log: Log, lives: NDArray[np.float64], least: float, guards: GuardPolicy) -> Served:
    """Identical requests, and then those that mean the same. A call that both would serve counts as identical.

    No answer is looked at whose question has a cosine below `least`.
    """
    exact, served = serve_exact(log, lives), _nothing(log)
    by_namespace: dict[bytes, list[int]] = defaultdict(list)
    for place, row in enumerate(log.rows):
        if row.cacheable:
            by_namespace[row.namespace].append(place)
    times, search = log.times, Search(least, NEIGHBOURS, _Start(log, guards))
    for places in by_namespace.values():
        if len(places) < 2:  # noqa: PLR2004 - one call repeats nothing
            continue
        questions = [_question(place, log.rows[place], float(times[place]), float(lives[place])) for place in places]
        vectors = log.vectors[[log.rows[place].vector for place in places]] if len(log.vectors) else None
        known = np.array([log.rows[place].vector >= 0 for place in places])
        found = served_by(questions, vectors, known, search)
        for question, kept in zip(questions, found, strict=True):
            if kept is not None:
                both = exact.how[question.place] == EXACT or kept.fingerprint == question.fingerprint
                _serve(served, question.place, kept.place, EXACT if both else NEAR, question.at - kept.stored)
    return served


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A kept question, as the service's decider looks at it."""

    kept: Kept
    question: str
    group: Hashable  # answers in the same words are of one
    similarity: float
    compared: bool = True


class _Start:
    """What the service decides before it has judged anything: by the verifier, its cut of the start, and guards."""

    def __init__(self, log: Log, guards: GuardPolicy) -> None:
        self._log = log
        self._guards = guards

    @cached_property
    def _decider(self) -> Decider:
        return Decider(Verifier(WordVectors.bundled()))

    def __call__(self, place: int, near: Sequence[Near]) -> Kept | None:
        row = self._log.rows[place]
        asked = self._log.texts[row.vector]
        candidates = timely(asked, [self._candidate(one) for one in near], year_of(row.at))
        decision = self._decider.decide(asked, candidates, Known(), self._guards)
        return candidates[decision.place].kept if decision is not None and decision.served else None

    def _candidate(self, near: Near) -> _Candidate:
        row = self._log.rows[near.kept.place]
        group = near.kept.place if row.answer is None else row.answer
        return _Candidate(near.kept, self._log.texts[row.vector], group, near.cosine)


def agreement(log: Log, served: Served, how: int) -> tuple[int, int]:
    """Of the calls served so: how many had been answered in the same words, and of how many that is known."""
    pairs = [
        (log.rows[place].answer, log.rows[served.source[place]].answer)
        for place in np.flatnonzero(served.mask(how)).tolist()
    ]
    known = [one == other for one, other in pairs if one is not None and other is not None]
    return sum(known), len(known)


def doubtful(log: Log, served: Served) -> NDArray[np.bool_]:
    """By row: near hits that are probably wrong, for the numbers differ, or both answers are short and differ."""
    found = np.zeros(len(log.rows), np.bool_)
    for place in np.flatnonzero(served.mask(NEAR)).tolist():
        ours, theirs = log.rows[place], log.rows[served.source[place]]
        brief = ours.brief and theirs.brief and ours.answer is not None and theirs.answer is not None
        found[place] = ours.numbers != theirs.numbers or (brief and ours.answer != theirs.answer)
    return found


def _question(place: int, row: Row, now: float, life: float) -> Question:
    return Question(place, row.fingerprint, now, _ready(row, now), life)


def _ready(row: Row, now: float) -> float:
    return now + (row.seconds or 0.0)


def _nothing(log: Log) -> Served:
    size = len(log.rows)
    return Served(np.zeros(size, np.int8), np.full(size, -1, np.int64), np.zeros(size))


def _serve(served: Served, place: int, source: int, how: int, age: float) -> None:
    served.how[place], served.source[place], served.ages[place] = how, source, age
