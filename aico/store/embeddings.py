"""Statements of the first hop: which texts are to become vectors, and their jobs handed on with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from aico.core.cache_policy import NO_BASIS, Basis, GuardPolicy
from aico.core.comparing import Wishes
from aico.core.jobs import CacheMode, JobClass
from aico.store.api_keys import models_of
from aico.store.cache_checks import NewCheck
from aico.store.shadow_pairs import wishes_of
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("embeddings")


@dataclass(frozen=True, slots=True)
class KnownNamespace:
    """What is known of a namespace's error. None: nothing yet."""

    state: str | None = None
    cut: float | None = None
    weights: tuple[float, ...] | None = None
    bound: float | None = None  # of the error per hit, at the confidence that was asked for
    verdicts: int = 0
    audited: int = 0  # hits that were judged
    judged: int = 0
    basis: Basis = NO_BASIS


NEW_NAMESPACE = KnownNamespace()


@dataclass(frozen=True, slots=True)
class ToEmbed:
    id: UUID
    fence: int
    namespace: bytes
    cache_mode: CacheMode
    job_class: JobClass
    text: str
    api_key_id: UUID | None
    floor: float  # the least cosine of a question whose answer may be served
    max_age_seconds: float | None = None  # of an answer that may be served again
    models: frozenset[str] | None = None  # whose answers its API key may be given; None: all
    arms: tuple[str, ...] = ()
    cache: KnownNamespace = NEW_NAMESPACE
    max_error_rate: float | None = None  # per hit by meaning; None: the service's
    guards: GuardPolicy | None = None  # None: the service's
    wishes: Wishes = field(default_factory=Wishes)
    fingerprint: bytes = b""
    patience: int = 0  # it waits for nobody who has more
    waits: bool = False  # it may wait for the answer to much the same question
    traceparent: str | None = None  # of the request that made it
    rung_at: datetime | None = None  # when a worker was last told of it


def to_embed(tenant: UUID, ids: Sequence[UUID], default_floor: float) -> Statement[ToEmbed]:
    params = {"tenant": tenant, "ids": list(ids), "floor": default_floor}
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
        floor=row["floor"],
        max_age_seconds=row["max_age"],
        models=models_of(row),
        arms=tuple(row["arms"]),
        cache=known_namespace(row),
        max_error_rate=row["max_error_rate"],
        guards=None if row["cache_guards"] is None else GuardPolicy(row["cache_guards"]),
        wishes=wishes_of(row),
        fingerprint=row["fingerprint"],
        patience=row["patience"],
        waits=row["waits"],
        traceparent=row["traceparent"],
        rung_at=row["rung_at"],
    )


def known_namespace(row: Row) -> KnownNamespace:
    return KnownNamespace(
        state=row["state"],
        cut=row["cut"],
        weights=None if row["weights"] is None else tuple(row["weights"]),
        bound=row["bound"],
        verdicts=row["verdicts"],
        audited=row["audited"],
        judged=row["judged"],
        basis=_basis(row),
    )


def _basis(row: Row) -> Basis:
    """Of a row of a namespace, or of none."""
    return Basis(row["features_version"] or 0, row["embedding_model"], row["target"], row["confidence"])


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for a worker of a class."""

    id: UUID
    job_class: JobClass


@dataclass(frozen=True, slots=True)
class Doubt:
    """An entry about which a model may be asked too, and by what it was decided."""

    entry: UUID
    probability: float  # that its answer serves
    score: float
    features: tuple[float, ...]

    def row(self) -> dict[str, Any]:
        return {
            "entry": str(self.entry),
            "probability": self.probability,
            "score": self.score,
            "features": self.features,
        }


@dataclass(frozen=True, slots=True)
class Passed:
    """A job that the cache does not answer. `near` is the entry that was looked at, `check` how that is judged.

    `probability` is that of its answer serving, where a model may be asked about it; then it may be about `others` too.
    """

    job: ToEmbed
    vector: NDArray[np.float32] | None
    near: UUID | None = None
    check: NewCheck | None = None
    probability: float | None = None
    others: tuple[Doubt, ...] = ()


def advance(tenant: UUID, passed: Sequence[Passed], model: str) -> Statement[Waiting]:
    """Keep each job's vector of 384 numbers, if it has one, and hand the jobs on to routing."""
    params = {
        "tenant": tenant,
        "ids": [one.job.id for one in passed],
        "fences": [one.job.fence for one in passed],
        "embeddings": [None if one.vector is None else HalfVector(one.vector) for one in passed],
        "nears": [one.near for one in passed],
        "probabilities": [one.probability for one in passed],
        "others": [Jsonb([other.row() for other in one.others]) if one.others else None for one in passed],
        "checks": Jsonb([one.check.row(one.job.id) for one in passed if one.check is not None]),
        "model": model,
    }
    return Statement(_SQL["advance"], params, lambda row: Waiting(row["id"], JobClass(row["class"])))
