"""Which of the kept answers near a question is meant, and what its neighbours say of it.

Answers that serve each other's questions are of one group. A question whose neighbours all have answers of one group is
safe at a similarity at which another is not, because answers of several groups lie around it: the distance to the next
group tells right from wrong better than the similarity itself.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Generic, TypeVar

from aico.core.embedding import LEAST_SIMILARITY

G = TypeVar("G", bound=Hashable)

NEIGHBOURS = 16  # that are looked at: more added nothing on support questions
_SHARPNESS = 20.0  # of the weights exp(20 cosine) by which groups are ranked


@dataclass(frozen=True, slots=True)
class Neighbour(Generic[G]):
    """A kept question near the one that is asked."""

    similarity: float  # cosine
    group: G
    compared: bool = True  # else its group is only its own for want of a comparison, and says nothing of others


def ranked(neighbours: Sequence[Neighbour[G]]) -> list[int]:
    """Places of the nearest neighbour of each group, the group with the most weight near the question first.

    One that was not compared comes after all that were: it may belong to any of them.
    """
    weights: dict[G, float] = defaultdict(float)
    nearest: dict[G, int] = {}
    for place, one in enumerate(neighbours):
        weights[one.group] += exp(_SHARPNESS * (one.similarity - 1))
        if one.group not in nearest or one.similarity > neighbours[nearest[one.group]].similarity:
            nearest[one.group] = place
    return sorted(
        nearest.values(), key=lambda place: (not neighbours[place].compared, -weights[neighbours[place].group], place)
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    margin: float  # cosine: how much nearer the group is than the next one, or than what is not looked at
    support: float  # natural logarithm of the neighbours of its group, itself included


def surroundings(neighbours: Sequence[Neighbour[G]], chosen: int) -> Surroundings:
    """Of the neighbour at `chosen`."""
    own = neighbours[chosen]
    others = [one.similarity for one in neighbours if one.compared and one.group != own.group]
    same = sum(one.group == own.group for one in neighbours)
    return Surroundings(own.similarity - max([*others, LEAST_SIMILARITY]), log(same))
