"""The arithmetic: which rows a tick tells, how late it was, and what of it went missing."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from bench.load import percentile

_SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Commit:
    """Rows of one tenant that were committed together. Times are seconds of the epoch."""

    second: int  # in which their attempts ended: a tick counts them there
    rows: int
    confirmed: float  # when whoever booked them had heard that they are


@dataclass(frozen=True, slots=True)
class Tick:
    """As it came to one viewer."""

    seq: int
    sent: float  # its `at`
    arrived: float
    requests: Mapping[int, int]  # in each second that it tells


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float


def read_tick(arrived: float, payload: Mapping[str, Any]) -> Tick:
    requests = {int(_epoch(second["at"])): int(second["requests"]) for second in payload["seconds"]}
    return Tick(payload["seq"], _epoch(payload["at"]), arrived, requests)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Timeline:
    """When each row of a tenant was committed. Rows of one second are told in the order of their commits."""

    def __init__(self, commits: Iterable[Commit]) -> None:
        by_second: defaultdict[int, list[Commit]] = defaultdict(list)
        for commit in commits:
            by_second[commit.second].append(commit)
        self._confirmed = {second: [one.confirmed for one in found] for second, found in by_second.items()}
        self._rows = {second: list(accumulate(one.rows for one in found)) for second, found in by_second.items()}

    def newest(self, tick: Tick) -> float | None:
        """When the newest row that the tick tells was confirmed; None where it tells none that was booked here."""
        if not tick.requests:
            return None
        second = max(tick.requests)
        rows = self._rows.get(second, [])
        place = bisect_left(rows, tick.requests[second])
        return self._confirmed[second][place] if place < len(rows) else None


def missing(seqs: Iterable[int], first: int, last: int) -> int:
    """How many of the numbers from `first` to `last` did not come."""
    return len(set(range(first, last + 1)).difference(seqs))


def told(ticks: Iterable[Tick]) -> int:
    """Requests that a viewer knows of who puts each second in its place."""
    seconds: dict[int, int] = {}
    for tick in ticks:
        seconds.update(tick.requests)
    return sum(seconds.values())


def spread(seconds: Iterable[float]) -> Spread | None:
    """None: there are no ticks."""
    ordered = sorted(value * 1000 for value in seconds)
    return Spread(*(percentile(ordered, share) for share in _SHARES)) if ordered else None


@dataclass(frozen=True, slots=True)
class Lateness:
    from_commit: Spread | None
    from_sending: Spread | None
    untraced: int  # ticks whose newest row is none that was booked here

    @classmethod
    def of(cls, seen: Sequence[tuple[Timeline, Tick]]) -> "Lateness":
        """Of ticks, each with the rows of its tenant."""
        begun = [(timeline.newest(tick), tick.arrived) for timeline, tick in seen]
        return cls(
            from_commit=spread(arrived - start for start, arrived in begun if start is not None),
            from_sending=spread(tick.arrived - tick.sent for _, tick in seen),
            untraced=sum(start is None for start, _ in begun),
        )
