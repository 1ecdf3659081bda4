"""Whether a cached answer has done well enough as an answer to other questions to go on being served."""

from itertools import count

from aico.core.estimates import wilson

LEAST_SHARE = 0.9  # of the judgements of an entry that may be expected to be good
_MOST_BAD = 50


def serves_well(good: int, bad: int) -> bool:
    """Whether `LEAST_SHARE` is still within Wilson's score interval (1927), at 95 %, of the share of good judgements.

    An entry of which nothing is known does, and one whose first judgement is bad does not: losing it costs one call,
    after which the question has a new answer, with nothing said against it.
    """
    return wilson(good, good + bad).high >= LEAST_SHARE


def _least_good() -> tuple[int, ...]:
    found, enough = [], 0
    for bad in range(1, _MOST_BAD + 1):
        enough = next(good for good in count(enough) if serves_well(good, bad))
        found.append(enough)
    return tuple(found)


# How many good judgements an entry needs to go on, by the number of its bad ones, from 1. Of more, no number is enough.
LEAST_GOOD = _least_good()
