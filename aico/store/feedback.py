"""Statements about what callers think of answers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aico.core.entry_quality import LEAST_GOOD
from aico.store.statement import Statement, named_sql

_SQL = named_sql("feedback")

GOOD = 0.5  # from this score on an answer from the cache was the right one


@dataclass(frozen=True, slots=True)
class Given:
    answered: bool  # a job without an answer cannot be judged
    created_at: datetime | None  # when it was stored, if it was
    namespace: bytes | None  # of the cache, if the answer was served from there to another question than its own


def give(tenant: UUID, job: UUID, *, score: float, comment: str | None) -> Statement[Given]:
    """Store the caller's judgement of a job's answer, 0 to 1, in place of an earlier one. No row without such a job.

    It counts as an outcome of the model that answered, and where the cache did, as a check of what it served, else for
    what is kept of it, in the same statement. The same judgement again changes nothing.
    """
    params = {
        "tenant": tenant,
        "job": job,
        "score": score,
        "comment": comment,
        "good": score >= GOOD,
        "least_good": list(LEAST_GOOD),
    }
    return Statement(_SQL["give"], params, lambda row: Given(row["answered"], row["created_at"], row["namespace"]))


@dataclass(frozen=True, slots=True)
class Feedback:
    score: float
    comment: str | None
    created_at: datetime


def get(tenant: UUID, job: UUID) -> Statement[Feedback]:
    """What the caller said of a job's answer. No row: nothing, or there is no such job."""
    return Statement(_SQL["get"], {"tenant": tenant, "job": job}, lambda row: Feedback(**row))
