"""Calls that look like work nobody waits for: many of one program in quick succession, none of them in a conversation.

A log does not say who waits. Two readings bound the answer. The loose one takes every run of at least 20 calls of one
template with pauses of at most 30 seconds, if few users are behind it; streams and conversations are never counted. The
strict one wants runs of at least 100 calls, of one user or of none that is named, as regular as a loop or as dense as
a pool of workers: half of the pauses below a second, or pauses that vary by less than half of their mean.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aico.audit.gather import Log
from aico.audit.rows import Row
from aico.audit.state import Cents, State
from aico.routing.providers.profiles import PROFILE_BY_NAME


@dataclass(frozen=True)
class Reading:
    least_calls: int
    longest_pause: float  # seconds
    most_users: float  # distinct users, as a part of the calls that name one
    paced: bool  # whether a loop or a pool of workers must have set the pace


LOOSE = Reading(least_calls=20, longest_pause=30.0, most_users=0.1, paced=False)
STRICT = Reading(least_calls=100, longest_pause=10.0, most_users=0.0, paced=True)
_DENSE_SECONDS = 1.0
_REGULAR = 0.5  # standard deviation of the pauses over their mean


def offline(log: Log, reading: Reading) -> NDArray[np.bool_]:
    """By row: whether it looks like work that can wait, and was not sent in a batch already."""
    found = np.zeros(len(log.rows), np.bool_)
    if not log.timed:
        return found
    by_template: dict[bytes, list[int]] = defaultdict(list)
    for place, row in enumerate(log.rows):
        if not row.waited_for:
            by_template[row.template].append(place)
    times = log.times
    for places in by_template.values():
        for run in _runs(places, times, reading):
            if _nobody_waits([log.rows[place] for place in run], times[run], reading):
                found[run] = True
    return found


def _runs(places: Sequence[int], times: NDArray[np.float64], reading: Reading) -> Iterator[NDArray[np.int64]]:
    whole = np.array(places)
    ends = np.flatnonzero(np.diff(times[whole]) > reading.longest_pause) + 1
    return (run for run in np.split(whole, ends) if len(run) >= reading.least_calls)


def _nobody_waits(rows: Sequence[Row], times: NDArray[np.float64], reading: Reading) -> bool:
    users = [row.user for row in rows if row.user is not None]
    if len(set(users)) > max(1.0, reading.most_users * len(users)):
        return False
    pauses = np.diff(times)
    return not reading.paced or bool(np.median(pauses) < _DENSE_SECONDS or pauses.std() < _REGULAR * pauses.mean())


def save(state: State, waits: NDArray[np.bool_]) -> Cents:
    """What a batch saves by row. It is not sure to find prefixes in a prompt cache, so the cheaper of both counts."""
    saved = np.zeros(len(state.log.rows))
    for place in np.flatnonzero(waits & state.open).tolist():
        usage, named = state.usage[place], state.named[place]
        if usage is None or usage.batch or named.provider is None or not PROFILE_BY_NAME[named.provider].batches:
            continue
        batch = usage.model_copy(update={"batch": True, "tier": "standard"})
        listed = state.pricer.list_cents(named, batch, state.log.rows[place].at)
        if listed < state.listed[place]:
            saved[place] = state.reprice(place, listed)
    return saved
