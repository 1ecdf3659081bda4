"""Intervals of what was saved, by resampling blocks of calls that belong together.

Calls of one session are alike, so sessions are drawn, not calls. The saving of a resampled log is its share of the
resampled cost. Few blocks know little about their own spread: deviations are stretched as Student's t asks for.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from aico.audit.rows import Row
from aico.core.estimates import CONFIDENCE, Interval, student

FEW_BLOCKS = 30  # below this the intervals come with a warning
_DRAWS = 2000
_MOST_BLOCKS = 1000  # more are put together at random, which changes no variance
_ENOUGH = 20  # of days or hours, to be blocks
_HOUR, _DAY = 3600, 86_400
_SEED = 20261125


def blocks_of(rows: Sequence[Row], *, timed: bool) -> NDArray[np.int64]:
    """A number by row, equal for calls that belong together: of a session or user, a day, an hour or a run."""
    named = sum(row.block is not None for row in rows)
    if rows and named > len(rows) / 2:
        return _numbered([row.block if row.block is not None else place for place, row in enumerate(rows)])
    if timed:
        for span in (_DAY, _HOUR):
            spans = [int((row.at or 0.0) // span) for row in rows]
            if len(set(spans)) >= _ENOUGH:
                return _numbered(spans)
    run = max(1, round(len(rows) ** 0.5))
    return np.array([place // run for place in range(len(rows))], np.int64)


def share_intervals(
    parts: NDArray[np.float64], cost: NDArray[np.float64], blocks: NDArray[np.int64]
) -> tuple[list[Interval], int]:
    """Of each row of `parts`, shape (parts, calls), as a share of `cost`; and the number of blocks.

    With fewer than two blocks nothing is known: 0 to 1.
    """
    sums = _block_sums(np.vstack([parts, cost]), blocks)
    sums = sums[:, sums[-1] > 0]
    count = sums.shape[1]
    if count < 2:  # noqa: PLR2004 - one block has no spread
        return [Interval(0.0, 1.0) for _ in parts], count
    generator = np.random.default_rng(_SEED)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=_DRAWS) @ sums.T
    shares = drawn[:, :-1] / drawn[:, -1:]
    point = sums[:-1].sum(axis=1) / sums[-1].sum()
    stretch = _stretch(count)
    return [_interval(shares[:, part], float(point[part]), stretch, count) for part in range(len(parts))], count


def _interval(shares: NDArray[np.float64], point: float, stretch: float, count: int) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    if low == high == point == 0:
        return Interval(0.0, 1 - tail ** (1 / count))  # in none of so many blocks
    low, high = point - stretch * (point - low), point + stretch * (high - point)
    return Interval(float(max(low, min(0.0, point))), float(min(high, 1.0)))


def _stretch(count: int) -> float:
    """Of the bootstrap's deviations, whose spread is that of n - 1 of n blocks, with Student's t for the normal."""
    tail = 1 - (1 - CONFIDENCE) / 2
    return float(student(CONFIDENCE, count - 1) / NormalDist().inv_cdf(tail) * (count / (count - 1)) ** 0.5)


def _block_sums(values: NDArray[np.float64], blocks: NDArray[np.int64]) -> NDArray[np.float64]:
    count = int(blocks.max(initial=-1)) + 1
    if count > _MOST_BLOCKS:
        together = np.random.default_rng(_SEED).integers(_MOST_BLOCKS, size=count)
        blocks, count = together[blocks], _MOST_BLOCKS
    return np.vstack([np.bincount(blocks, row, minlength=count) for row in np.nan_to_num(values)])


def _numbered(keys: Sequence[object]) -> NDArray[np.int64]:
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
