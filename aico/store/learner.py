"""Statements about what is learned from a tenant's outcomes: sums, the solutions made of them, and which one counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.store.lessons import Mark
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("learner")

KEPT_VERSIONS = 50


def due(*, enough: int, patience_seconds: float, limit: int) -> Statement[UUID]:
    """Tenants with `enough` outcomes to learn from, or one that has waited for so long, and nobody at it."""
    params = {"enough": enough, "patience": float(patience_seconds), "limit": limit}
    return Statement(_SQL["due"], params, _tenant)


@dataclass(frozen=True, slots=True)
class HeldLearner:
    """The right to change what a tenant's learner knows until the lease runs out; `fence` proves it."""

    tenant: UUID
    fence: int
    version: int  # of the newest solution
    clock: float  # what was learned at clock c counts for exp(c - clock)


def claim(tenant: UUID, lease_seconds: float) -> Statement[HeldLearner]:
    """No row: somebody else is at it."""
    params = {"tenant": tenant, "lease": float(lease_seconds)}
    return Statement(_SQL["claim"], params, lambda row: HeldLearner(tenant, **row))


class Kind(StrEnum):
    """What sums are of."""

    MODEL = "model"  # how good a model's answers are, by the prompt
    DRAFT = "draft"  # whether a model's drafts are good enough, by the prompt and the answer


@dataclass(frozen=True, slots=True)
class StoredStatistics:
    """Sums of one model as they were at that clock."""

    model: str
    design: str
    data: bytes
    labels: float
    clock: float
    tasks: Mapping[str, tuple[int, float]]  # by task: outcomes and the sum of their qualities
    kind: Kind = Kind.MODEL


def statistics(tenant: UUID) -> Statement[StoredStatistics]:
    """All that is kept, about 0.4 MB for each model of each kind."""
    return Statement(_SQL["statistics"], {"tenant": tenant}, _statistics)


def _statistics(row: Row) -> StoredStatistics:
    read = {"kind": Kind(row["kind"]), "tasks": tasks_of(row["tasks"])}
    return StoredStatistics(data=bytes(row.pop("statistics")), **{**row, **read})


def tasks_of(stored: Mapping[str, Sequence[float]]) -> dict[str, tuple[int, float]]:
    """Of a column `tasks`."""
    return {task: (int(outcomes), float(quality)) for task, (outcomes, quality) in stored.items()}


@dataclass(frozen=True, slots=True)
class Solution:
    data: bytes
    labels: float
    target: float | None
    price: float | None
    verifier: bytes | None = None  # None: there are no outcomes of drafts


@dataclass(frozen=True, slots=True)
class Lesson:
    """All that one round of learning changes."""

    design: str
    clock: float
    statistics: Sequence[StoredStatistics]
    marks: Sequence[Mark]
    solution: Solution | None  # None: there was nothing to learn


def keep(held: HeldLearner, lesson: Lesson, pause_seconds: float) -> Statement[int]:
    """Store it all and let go. No row: the claim is lost, and nothing has changed. Else the newest version."""
    solution = lesson.solution
    params: dict[str, Any] = {
        "tenant": held.tenant,
        "fence": held.fence,
        "pause": float(pause_seconds),
        "versions": KEPT_VERSIONS,
        "design": lesson.design,
        "clock": lesson.clock,
        "kinds": [one.kind.value for one in lesson.statistics],
        "models": [one.model for one in lesson.statistics],
        "designs": [one.design for one in lesson.statistics],
        "statistics": [one.data for one in lesson.statistics],
        "labels": [one.labels for one in lesson.statistics],
        "tasks": [Jsonb(dict(one.tasks)) for one in lesson.statistics],
        "mark_jobs": [mark.job for mark in lesson.marks],
        "mark_models": [mark.model for mark in lesson.marks],
        "mark_qualities": [mark.quality for mark in lesson.marks],
        "mark_sources": [mark.source.value for mark in lesson.marks],
        "mark_weights": [mark.weight for mark in lesson.marks],
        "mark_clocks": [mark.clock for mark in lesson.marks],
        "solution": solution and solution.data,
        "verifier": solution and solution.verifier,
        "all_labels": solution and solution.labels,
        "target": solution and solution.target,
        "price": solution and solution.price,
    }
    return Statement(_SQL["keep"], params, _version)


def solution(tenant: UUID, version: int) -> Statement[tuple[bytes, bytes | None]]:
    """Of models, and of drafts. No row: that version holds nothing, or is kept no longer."""
    params = {"tenant": tenant, "version": version}
    return Statement(_SQL["solution"], params, lambda row: (bytes(row["solution"]), _bytes(row["verifier"])))


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)


def in_use(tenant: UUID) -> Statement[bytes]:
    """The solution that counts. No row: there is none."""
    return Statement(_SQL["in_use"], {"tenant": tenant}, lambda row: bytes(row["solution"]))


def version(tenant: UUID) -> Statement[int]:
    """Which one counts. No row: nothing was ever learned."""
    return Statement(_SQL["version"], {"tenant": tenant}, _version)


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts for a tenant now. All but the first three are None where nothing has been learned."""

    version: int  # the newest
    pinned: int | None  # counts instead
    updated_at: datetime | None
    design: str | None
    labels: float | None
    target: float | None
    price: float | None  # of quality, in quality per cent
    created_at: datetime | None


def standing(tenant: UUID) -> Statement[Standing]:
    """No row: nothing was ever learned."""
    return Statement(_SQL["standing"], {"tenant": tenant}, lambda row: Standing(**row))


@dataclass(frozen=True, slots=True)
class ModelStanding:
    model: str
    labels: float
    tasks: Mapping[str, tuple[int, float]]  # by task: outcomes and the sum of their qualities
    updated_at: datetime


def models(tenant: UUID) -> Statement[ModelStanding]:
    """What outcomes said of each model. Reads figures alone."""
    return Statement(_SQL["models"], {"tenant": tenant}, _model_standing)


def _model_standing(row: Row) -> ModelStanding:
    return ModelStanding(**{**row, "tasks": tasks_of(row["tasks"])})


@dataclass(frozen=True, slots=True)
class Version:
    version: int
    design: str
    labels: float
    target: float | None
    price: float | None
    created_at: datetime
    bytes: int
    counts: bool
    pinned: bool


def history(tenant: UUID) -> Statement[Version]:
    """Those that are kept, newest first."""
    return Statement(_SQL["history"], {"tenant": tenant}, lambda row: Version(**row))


def pin(tenant: UUID, version: int, actor: str) -> Statement[UUID]:
    """That version counts until somebody lets go of it. No row: it is not kept."""
    return Statement(_SQL["pin"], {"tenant": tenant, "version": version, "actor": actor}, _tenant)


def unpin(tenant: UUID, actor: str) -> Statement[UUID]:
    """The newest counts again. No row: none was pinned."""
    return Statement(_SQL["unpin"], {"tenant": tenant, "actor": actor}, _tenant)


def reset(tenant: UUID, actor: str) -> Statement[UUID]:
    """Forget everything: a new version counts, which holds nothing. Earlier ones stay. No row: there was nothing."""
    return Statement(_SQL["reset"], {"tenant": tenant, "actor": actor}, _tenant)


def _tenant(row: Row) -> UUID:
    found: UUID = row["tenant_id"]
    return found


def _version(row: Row) -> int:
    found: int = row["version"]
    return found
