"""Statements about what became of drafts: how often they pass, and how good they were found to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from aico.store.learner import tasks_of
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("drafts")

RECENT = 1000  # drafts of all models together, of which is counted how many passed


@dataclass(frozen=True, slots=True)
class DraftStanding:
    model: str
    labels: float  # outcomes that its verifier rests on, less what was forgotten
    tasks: Mapping[str, tuple[int, float]]  # by task: drafts that somebody judged, and how many were good enough
    checked: int  # of the recent ones
    passed: int

    @property
    def judged(self) -> int:
        return sum(outcomes for outcomes, _ in self.tasks.values())

    @property
    def good(self) -> float:
        return sum(quality for _, quality in self.tasks.values())


def standing(tenant: UUID) -> Statement[DraftStanding]:
    """By model that drafts. O(RECENT) along an index of drafts alone."""
    return Statement(_SQL["standing"], {"tenant": tenant, "limit": RECENT}, _standing)


def _standing(row: Row) -> DraftStanding:
    return DraftStanding(**{**row, "tasks": tasks_of(row["tasks"])})
