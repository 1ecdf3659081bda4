"""Statements about jobs under way that ask much the same: who is near, who waits for whom, and who waits no longer."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from aico.store.embeddings import ToEmbed
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("similar_flights")

MOST = 500  # of a namespace, the newest, that are compared with a question


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A job that is being answered, near another's question."""

    job: UUID  # whose question it is near
    leader: UUID
    question: str
    similarity: float  # cosine
    compared: bool  # whether its answer would be: nothing that was kept was near it
    identical: bool  # the same question, for the same fingerprint

    @property
    def group(self) -> UUID:
        """Nobody knows yet whose answers its answer is like."""
        return self.leader


def under_way(
    tenant: UUID,
    jobs: Sequence[ToEmbed],
    vectors: Sequence[NDArray[np.float32]],
    model: str,
    *,
    count: int,
) -> Statement[UnderWay]:
    """For each job up to `count` others at or above its floor, that need no more patience, of the same arms.

    Exact search, linear in the jobs under way in each job's namespace, of which the newest MOST are looked at.
    """
    params = {
        "tenant": tenant,
        "ids": [job.id for job in jobs],
        "namespaces": [job.namespace for job in jobs],
        "fingerprints": [job.fingerprint for job in jobs],
        "embeddings": [HalfVector(vector) for vector in vectors],
        "floors": [job.floor for job in jobs],
        "patiences": [job.patience for job in jobs],
        "arms": [Jsonb(job.arms) for job in jobs],
        "model": model,
        "most": MOST,
        "count": count,
    }
    return Statement(_SQL["under_way"], params, _under_way)


def _under_way(row: Row) -> UnderWay:
    return UnderWay(
        job=row["job_id"],
        leader=row["leader"],
        question=row["question"],
        similarity=row["similarity"],
        compared=row["compared"],
        identical=row["identical"],
    )


@dataclass(frozen=True, slots=True)
class Waits:
    """A job that is to wait for the answer of another one."""

    job: ToEmbed
    leader: UUID


def wait(tenant: UUID, waits: Sequence[Waits]) -> Statement[UUID]:
    """Each for half the time that it has left at most. Returns the jobs that do."""
    params = {
        "tenant": tenant,
        "ids": [one.job.id for one in waits],
        "fences": [one.job.fence for one in waits],
        "leaders": [one.leader for one in waits],
    }
    return Statement(_SQL["wait"], params, lambda row: row["id"])


def end_waiting(limit: int) -> Statement[int]:
    """Of all tenants: send back to the cache who has nobody to wait for any more; returns how many."""
    return Statement(_SQL["end_waiting"], {"limit": limit}, lambda row: row["back"])
