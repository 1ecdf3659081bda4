"""Statements about the semantic cache."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from aico.core.jobs import Answer, RoutingReport
from aico.store.embeddings import ToEmbed
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("cache")


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest live entry to a job's last turn, at or above the job's threshold."""

    job: UUID
    entry: UUID
    answer: Answer
    routing: RoutingReport
    similarity: float


def probe(
    tenant: UUID, jobs: Sequence[ToEmbed], vectors: Iterable[NDArray[np.float32]], model: str
) -> Statement[Match]:
    """For each job its best match, if any. Vectors have 384 numbers and are L2-normalised.

    Exact search: linear in the rows of each job's namespace.
    """
    params = {
        "tenant": tenant,
        "ids": [job.id for job in jobs],
        "namespaces": [job.namespace for job in jobs],
        "embeddings": [HalfVector(vector) for vector in vectors],
        "thresholds": [job.threshold for job in jobs],
        "max_ages": [job.max_age_seconds for job in jobs],
        "model": model,
    }
    return Statement(_SQL["probe"], params, _match)


def _match(row: Row) -> Match:
    return Match(
        job=row["job_id"],
        entry=row["entry_id"],
        answer=Answer.model_validate(row["answer"]),
        routing=RoutingReport.model_validate(row["routing"]),
        similarity=row["similarity"],
    )


def purge_expired(limit: int) -> Statement[int]:
    """Delete up to `limit` answers that may no longer be served; returns how many there were."""
    return Statement(_SQL["purge_expired"], {"limit": limit}, lambda row: row["purged"])
