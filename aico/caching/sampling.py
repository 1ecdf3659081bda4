"""How often what the cache serves is judged."""

from math import exp

_SLOWER = 2.0  # for each audit, in units of the target
_OTHERS = 2000  # decisions of a namespace, that are all judged


def audit_chance(audited: int, share: float, target: float) -> float:
    """Of a hit: all at first, then ever fewer, down to `share`. `audited` hits of the namespace were so far.

    After n hits it is about 1 in 2 n `target`, so that when all hits have become wrong, one is noticed before many more
    are wrong than the target allowed of those hits.
    """
    return max(share, min(1.0, exp(1 - _SLOWER * target * audited)))


def near_chance(judged: int, ever: int, least: float) -> float:
    """Of an answer that was not served, where only the judge costs something: likewise, down to `least`.

    `judged` decisions say something of the present, `ever` were judged in all. `least` is what hits are drawn with, or
    more: were they drawn more often than what scores less, they would hide its errors from a test.
    """
    return 1.0 if judged < _OTHERS else max(least, min(1.0, _OTHERS / (ever + 1)))
