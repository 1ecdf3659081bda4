"""Statements of the first hop: which texts are to become vectors, and their jobs handed on with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from aico.core.jobs import CacheMode, JobClass
from aico.store.api_keys import models_of
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("embeddings")


@dataclass(frozen=True, slots=True)
class ToEmbed:
    id: UUID
    fence: int
    namespace: bytes
    cache_mode: CacheMode
    job_class: JobClass
    text: str
    api_key_id: UUID | None
    threshold: float
    max_age_seconds: float | None = None  # of an answer that may be served again
    models: frozenset[str] | None = None  # whose answers its API key may be given; None: all
    arms: tuple[str, ...] = ()


def to_embed(tenant: UUID, ids: Sequence[UUID], default_threshold: float) -> Statement[ToEmbed]:
    params = {"tenant": tenant, "ids": list(ids), "threshold": default_threshold}
    return Statement(_SQL["to_embed"], params, _to_embed)


def _to_embed(row: Row) -> ToEmbed:
    return ToEmbed(
        id=row["id"],
        fence=row["fence"],
        namespace=row["namespace"],
        cache_mode=CacheMode(row["cache_mode"]),
        job_class=JobClass(row["class"]),
        text=row["text"],
        api_key_id=row["api_key_id"],
        threshold=row["threshold"],
        max_age_seconds=row["max_age"],
        models=models_of(row),
        arms=tuple(row["arms"]),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for a worker of a class."""

    id: UUID
    job_class: JobClass


def advance(
    tenant: UUID, jobs: Sequence[ToEmbed], vectors: Iterable[NDArray[np.float32] | None], model: str
) -> Statement[Waiting]:
    """Keep each job's vector of 384 numbers, if it has one, and hand the jobs on to routing."""
    params = {
        "tenant": tenant,
        "ids": [job.id for job in jobs],
        "fences": [job.fence for job in jobs],
        "embeddings": [None if vector is None else HalfVector(vector) for vector in vectors],
        "model": model,
    }
    return Statement(_SQL["advance"], params, lambda row: Waiting(row["id"], JobClass(row["class"])))
