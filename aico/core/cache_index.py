"""Which namespaces of the cache have an index of their own, and whether one finds what exact search finds.

Exact search is linear in the rows of one namespace, however large its tenant is. So an index pays for a large
namespace, and covers that one alone: nothing has to be filtered out of what it finds, and no other tenant's rows can
crowd out what is looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

MOST_INDEXES = 256  # of all tenants: each costs every insert of anybody's vector a microsecond or two
SHRUNK = 0.5  # of the least rows, below which an index is given up
HOLD = 1.5  # times an index's rows that another namespace needs to take its place
GROWN = 2.0  # times the rows that it was last checked with, after which it is checked again
LEAST_RECALL = 0.99
SAMPLE = 100  # of the namespace's own vectors are looked up to measure recall
DEPTH = 9  # how far: a vector itself and eight neighbours
NEAR_ENOUGH = 0.8  # cosine similarity from which a neighbour counts: what is further off is hardly ever served
_TIED = 1e-5  # similarities that differ by less are of vectors that are equal in half precision


class IndexState(StrEnum):
    BUILDING = "building"  # or its recall is not known yet
    USED = "used"
    REJECTED = "rejected"  # it missed too much; there is none


class Step(StrEnum):
    BUILD = "build"  # anew where there is one
    CHECK = "check"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that are compared with one another."""

    tenant: UUID
    namespace: bytes
    model: str  # fingerprint of the embedding variant


@dataclass(frozen=True, slots=True)
class Standing:
    """A namespace that is large or has a record of an index."""

    scope: Scope
    rows: int
    state: IndexState | None = None  # None: no record
    decided_rows: int = 0  # that it had when its state was decided
    valid: bool = False  # whether a whole index is there


def next_step(standing: Standing, *, least_rows: int, has_place: bool) -> Step | None:
    """`has_place`: whether it is among the largest, of which there may be MOST_INDEXES."""
    known = standing.state is not None
    if not has_place or standing.rows < (least_rows * SHRUNK if known else least_rows):
        return Step.DROP if known else None
    grown = standing.rows >= standing.decided_rows * GROWN
    if standing.state is IndexState.REJECTED:
        return Step.BUILD if grown else None
    if not known or not standing.valid:
        return Step.BUILD
    return Step.CHECK if grown or standing.state is IndexState.BUILDING else None


def steps(standings: Sequence[Standing], *, least_rows: int) -> list[tuple[Step, Standing]]:
    """What is to be done, what gives room first, then the largest.

    Of namespaces of about one size, whoever has an index keeps it: else they would take it from each other for ever.
    """
    ordered = sorted(standings, key=lambda standing: -standing.rows * (HOLD if standing.valid else 1.0))
    found = [
        (step, standing)
        for place, standing in enumerate(ordered)
        if (step := next_step(standing, least_rows=least_rows, has_place=place < MOST_INDEXES)) is not None
    ]
    return sorted(found, key=lambda one: one[0] is not Step.DROP)


@dataclass(frozen=True, slots=True)
class Trial:
    """Cosine similarities of what two searches found for a vector that is stored, nearest first; itself among them."""

    exact: Sequence[float]
    by_index: Sequence[float]


def recall(trials: Sequence[Trial], depth: int) -> float | None:
    """The share of the nearest `depth` neighbours that the index found, in [0, 1]; of those that are NEAR_ENOUGH.

    Equally near ones count alike, whichever was found. None where there is nothing to find.
    """
    wanted = found = 0
    for trial in trials:
        near = [similarity for similarity in trial.exact[:depth] if similarity >= NEAR_ENOUGH]
        if near:
            wanted += len(near)
            found += min(sum(similarity >= near[-1] - _TIED for similarity in trial.by_index), len(near))
    return found / wanted if wanted else None
