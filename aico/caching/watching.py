"""Notices when hits have become worse, from verdicts in the order of time.

Two CUSUM tests (Page, 1954). One sees what is served: the target against several times the target. A wrong answer puts
a namespace on probation: nothing is served, and what would have been is answered afresh and compared, which costs a
saving but no harm. Right answers end it; further wrong ones show that the error has changed, and then what was known
before no longer counts. That takes its time, because nothing is served meanwhile: a namespace that keeps to half the
target is declared to have changed in fewer than one of twenty runs of a thousand audits. The other test sees every
verdict, also on what was not served, against the score by which it was decided: it raises the alarm before many hits
have been audited.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log

_TIMES, _LEAST = 3.0, 0.05  # the error that is tested for: so many times the target, and no less than that
_CALM = 0.25  # of the weight of a wrong answer: probation ends below it
_BROKEN = 5.0  # logarithm of the likelihood ratio: above it the error has changed,
_NEVER_ONE = 1.5  # and above the weight of so many wrong answers: of one nothing follows, however little is allowed
SURPRISING = 2.0  # a wrong answer with this score or more is worth looking into at once
_WORSE = log(4.0)  # by so much less the log-odds are right than they say: what surprise is tested for
_SURPRISED = 6.0  # logarithm of the likelihood ratio


@dataclass(frozen=True, slots=True)
class Seen:
    """A verdict, and what was expected."""

    score: float  # log-odds at which it was decided
    right: bool
    eligible: bool  # it was served, or would have been but for probation
    drawn: bool = True  # by chance; else somebody complained, which does not say how many are wrong
    allowed: float = 0.0  # the error per hit when it was decided: it is held to no less, if less is allowed by now


@dataclass(frozen=True, slots=True)
class Watch:
    probation: bool
    broken_at: int | None  # place of the last verdict that showed a change


def watched(verdicts: Iterable[Seen], target: float) -> Watch:
    """O(verdicts)."""
    level, surprise, probation, broken_at = 0.0, 0.0, False, None
    for place, one in enumerate(verdicts):
        up, down, surest = _stakes(max(target, one.allowed))
        if one.score > 0:  # what was thought to be wrong anyway tells little, and may be far off
            surprise = max(0.0, surprise + _evidence(min(one.score, surest), right=one.right))
        if not one.drawn:
            level, probation = max(level, up), True
        elif one.eligible:
            level = max(0.0, level + (down if one.right else up))
            probation = not one.right or (probation and level > _CALM * up)
        if surprise > _SURPRISED:
            level, surprise, probation = max(level, up), 0.0, True
        if level > max(_BROKEN, _NEVER_ONE * up):
            level, surprise, probation, broken_at = 0.0, 0.0, False, place
    return Watch(probation, broken_at)


@lru_cache(64)
def _stakes(target: float) -> tuple[float, float, float]:
    """What a wrong hit and a right one add to the evidence, and the log-odds of the least that is promised.

    A score may promise more than the target asks for, and err in that.
    """
    worse = min(max(_TIMES * target, _LEAST), (1 + target) / 2)  # where the target is high, halfway to all
    return log(worse / target), log((1 - worse) / (1 - target)), log((1 - target) / target)


def _evidence(score: float, *, right: bool) -> float:
    """Logarithm of the likelihood ratio: that the odds have become worse, against that they are as the score says."""
    sign = -1 if right else 1
    return log((1 + exp(sign * score)) / (1 + exp(sign * (score - _WORSE))))
