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
class Near:
    """A live entry near a job's last turn."""

    job: UUID
    entry: UUID
    question: str
    model: str  # that answered
    group: UUID  # entries of one group have answers that serve each other's questions
    compared: bool  # whether its group was found out; else it may belong to another one too
    similarity: float  # cosine


def near(
    tenant: UUID,
    jobs: Sequence[ToEmbed],
    vectors: Iterable[NDArray[np.float32]],
    model: str,
    *,
    count: int,
) -> Statement[Near]:
    """For each job up to `count` entries at or above its floor, nearest first.

    Vectors have 384 numbers and are L2-normalised.

    Exact search: linear in the rows of each job's namespace.
    """
    params = {
        "tenant": tenant,
        "ids": [job.id for job in jobs],
        "namespaces": [job.namespace for job in jobs],
        "embeddings": [HalfVector(vector) for vector in vectors],
        "floors": [job.floor for job in jobs],
        "max_ages": [job.max_age_seconds for job in jobs],
        "model": model,
        "count": count,
    }
    return Statement(_SQL["near"], params, _near)


def _near(row: Row) -> Near:
    return Near(
        job=row["job_id"],
        entry=row["entry_id"],
        question=row["question"],
        model=row["model"],
        group=row["answer_group"],
        compared=row["compared"],
        similarity=row["similarity"],
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that may be served again."""

    entry: UUID
    answer: Answer
    routing: RoutingReport


def answers(tenant: UUID, entries: Sequence[UUID]) -> Statement[Kept]:
    """Those that are still there."""
    return Statement(_SQL["answers"], {"tenant": tenant, "ids": list(entries)}, _kept)


def _kept(row: Row) -> Kept:
    return Kept(
        entry=row["entry_id"],
        answer=Answer.model_validate(row["answer"]),
        routing=RoutingReport.model_validate(row["routing"]),
    )


def purge_expired(limit: int) -> Statement[int]:
    """Delete up to `limit` answers that may no longer be served; returns how many there were."""
    return Statement(_SQL["purge_expired"], {"limit": limit}, lambda row: row["purged"])


def add_up(limit: int) -> Statement[int]:
    """Count up to `limit` changes into what tenants and their namespaces are known to keep; returns how many."""
    return Statement(_SQL["add_up"], {"limit": limit}, lambda row: row["added"])


def evict(*, most: int, most_bytes: int, limit: int) -> Statement[int]:
    """Delete up to `limit` answers of tenants that keep more than `most`, or than their own limit, or `most_bytes`.

    Least recently used first; returns how many there were. What has changed is to be added up before.
    """
    return Statement(
        _SQL["evict"], {"most": most, "most_bytes": most_bytes, "limit": limit}, lambda row: row["evicted"]
    )
