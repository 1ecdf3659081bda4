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
    """Store the caller's judgement of a job's answer, 0 to 1, in place of an earlier one. No row without such a job.

    It counts as an outcome of the model that answered, in the same statement. The same judgement again changes nothing.
    """
    params = {"tenant": tenant, "job": job, "score": score, "comment": comment}
    return Statement(_SQL["give"], params, lambda row: Given(row["answered"], row["created_at"]))


@dataclass(frozen=True, slots=True)
class Feedback:
    score: float
    comment: str | None
    created_at: datetime


def get(tenant: UUID, job: UUID) -> Statement[Feedback]:
    """What the caller said of a job's answer. No row: nothing, or there is no such job."""
    return Statement(_SQL["get"], {"tenant": tenant, "job": job}, lambda row: Feedback(**row))
