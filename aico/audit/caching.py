"""What the service's cache would have served, had it stood in front of these calls: simulated in the order of time.

As in the service: an answer is kept from the moment it is there until its time to live is over; an identical request
is served first, then the nearest one of the same namespace within the threshold; what was served is not kept again.
The whole log is one tenant.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aico.audit.gather import Log
from aico.audit.rows import Row
from aico.audit.similar import Question, nearest

MISS, EXACT, NEAR = 0, 1, 2


@dataclass(frozen=True)
class Served:
    """By row: how it was served, and by the answer to which row (-1: none), which was `ages` seconds old."""

    how: NDArray[np.int8]
    source: NDArray[np.int64]
    ages: NDArray[np.float64]

    def mask(self, how: int) -> NDArray[np.bool_]:
        return np.asarray(self.how == how, np.bool_)


def serve_exact(log: Log, ttl: float) -> Served:
    """Identical requests alone."""
    served = _nothing(log)
    kept: dict[bytes, tuple[float, int]] = {}
    for place, (row, now) in enumerate(zip(log.rows, log.times.tolist(), strict=True)):
        if not row.cacheable:
            continue
        stored, source = kept.get(row.fingerprint, (now + 1, -1))
        if stored <= now and (now - stored < ttl or not log.timed):
            _serve(served, place, source, EXACT, now - stored)
        elif source < 0 or stored <= now:  # a call under way is not waited for; the first answer stays
            kept[row.fingerprint] = (_ready(row, now), place)
    return served


def serve_both(log: Log, ttl: float, threshold: float) -> Served:
    """Identical requests, and then those that mean the same. A call that both would serve counts as identical."""
    exact, served = serve_exact(log, ttl), _nothing(log)
    by_namespace: dict[bytes, list[int]] = defaultdict(list)
    for place, row in enumerate(log.rows):
        if row.cacheable:
            by_namespace[row.namespace].append(place)
    times = log.times
    for places in by_namespace.values():
        if len(places) < 2:  # noqa: PLR2004 - one call repeats nothing
            continue
        questions = [
            Question(place, log.rows[place].fingerprint, float(times[place]), _ready(log.rows[place], times[place]))
            for place in places
        ]
        vectors = log.vectors[[log.rows[place].vector for place in places]] if len(log.vectors) else None
        known = np.array([log.rows[place].vector >= 0 for place in places])
        found = nearest(questions, vectors, known, ttl if log.timed else np.inf, threshold)
        for question, kept in zip(questions, found, strict=True):
            if kept is not None:
                both = exact.how[question.place] == EXACT or kept.fingerprint == question.fingerprint
                _serve(served, question.place, kept.place, EXACT if both else NEAR, question.at - kept.stored)
    return served


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


def _ready(row: Row, now: float) -> float:
    return now + (row.seconds or 0.0)


def _nothing(log: Log) -> Served:
    size = len(log.rows)
    return Served(np.zeros(size, np.int8), np.full(size, -1, np.int64), np.zeros(size))


def _serve(served: Served, place: int, source: int, how: int, age: float) -> None:
    served.how[place], served.source[place], served.ages[place] = how, source, age
