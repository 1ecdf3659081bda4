"""From which score on the error per hit is below a target, with a stated confidence.

It assumes that samples are exchangeable, and nothing else.

Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei, 2021, arXiv:2110.01052): each cut is a hypothesis, "the
error of what scores at least this exceeds the target", rejected by an exact binomial test. Cuts are tested from the
strictest on and testing stops at the first that is not rejected, which bounds the chance of any false rejection without
a penalty for their number. Testing begins at two places, each with half of the risk, because one unlucky sample among
the first must not end it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, exp, lgamma, log, log1p

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STARTS = (1.0, 2.0)  # in samples without an error that a test needs at least
_TESTS = 200  # at most, of each start
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Cut:
    """`least` is the lowest score that is served. Of the samples `above` had it or more, `wrong` of them in error."""

    least: float
    above: int
    wrong: int


def lowest_cut(scores: Floats, right: Floats, *, target: float, confidence: float) -> Cut | None:
    """None: no cut is known to keep the target. `right` is 1 where the answer was right, else 0.

    O(n log n), and a test of O(wrong) for each of at most 400 cuts. Where hits are sampled less often than what scores
    less, the estimate errs on the safe side, as long as what scores less is wrong more often.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_scores, wrong = scores[order], np.cumsum(1 - right[order])
    ends = last_equals(sorted_scores)
    risk = (1 - confidence) / len(_STARTS)
    best = -1
    for start in _STARTS:
        for place in _places(len(scores), ceil(start * samples_needed(target, risk))):
            last = int(ends[place])
            if chance_of_at_most(int(wrong[last]), last + 1, target) > risk:
                break
            best = max(best, last)
    return None if best < 0 else Cut(float(sorted_scores[best]), best + 1, int(wrong[best]))


def last_equals(sorted_scores: Floats) -> NDArray[np.intp]:
    """For each place the last one of the same score: a cut serves all of them. Scores are in falling order."""
    found: NDArray[np.intp] = np.searchsorted(-sorted_scores, -sorted_scores, side="right") - 1
    return found


def _places(samples: int, needed: int) -> Iterator[int]:
    return iter(range(needed - 1, samples, max(1, samples // _TESTS)))


def samples_needed(target: float, risk: float) -> int:
    """So many right ones in a row show that the error is below the target."""
    return ceil(log(risk) / log1p(-target))


def refuted(wrong: int, samples: int, target: float, confidence: float) -> bool:
    """Whether so many errors show that the error is above the target."""
    return wrong > 0 and 1 - chance_of_at_most(wrong - 1, samples, target) < 1 - confidence


def chance_of_at_most(wrong: int, samples: int, rate: float) -> float:
    """Of so many errors, or fewer, among samples that are wrong at this rate: the binomial distribution."""
    if wrong >= samples:
        return 1.0
    total = 0.0
    for count in range(wrong + 1):
        ways = lgamma(samples + 1) - lgamma(count + 1) - lgamma(samples - count + 1)
        total += exp(ways + count * log(rate) + (samples - count) * log1p(-rate))
    return min(total, 1.0)


def upper_bound(wrong: int, samples: int, confidence: float) -> float:
    """Of an error rate: the exact binomial bound of Clopper and Pearson (1934), one-sided."""
    if wrong >= samples:
        return 1.0
    low, high = wrong / samples, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if chance_of_at_most(wrong, samples, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high
