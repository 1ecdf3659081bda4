"""Statements about how good answers were, whoever judged them."""

from enum import StrEnum
from uuid import UUID

from aico.store.statement import Statement, named_sql

_SQL = named_sql("outcomes")


class Source(StrEnum):
    """Who judged, from the least to the most weight."""

    IMPLICIT = "implicit"  # what the caller did next
    JUDGE = "judge"  # a model that compared two answers
    USER = "user"


def observe(tenant: UUID, job: UUID, model: str, quality: float, source: Source) -> Statement[bool]:
    """Store a quality in 0..1 of what `model` answered, or would have answered, to an answered job.

    Whether it was stored: a judgement of less weight leaves one of more weight as it is. No row without such a job. The
    figures of the job's arms follow where `model` is the one that answered.
    """
    params = {"tenant": tenant, "job": job, "model": model, "quality": quality, "source": source.value}
    return Statement(_SQL["observe"], params, lambda row: row["stored"])
