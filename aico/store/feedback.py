"""Statements about what callers think of answers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aico.store.statement import Statement, named_sql

_SQL = named_sql("feedback")


@dataclass(frozen=True, slots=True)
class Given:
    answered: bool  # a job without an answer cannot be judged
    created_at: datetime | None  # when it was stored, if it was


def give(tenant: UUID, job: UUID, *, score: float, comment: str | None) -> Statement[Given]:
    """Store the caller's judgement of a job's answer, 0 to 1, in place of an earlier one. No row without such a job."""
    params = {"tenant": tenant, "job": job, "score": score, "comment": comment}
    return Statement(_SQL["give"], params, lambda row: Given(**row))
