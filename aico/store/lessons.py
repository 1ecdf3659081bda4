"""Statements that read what a learner learns from: outcomes that are new to it, and what was decided lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from aico.store.decisions import vector_of
from aico.store.outcomes import Source
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("lessons")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a decision saw, as it was kept."""

    design: str
    features: bytes
    vector: NDArray[np.float32] | None


def _prompt(row: Row) -> Prompt:
    return Prompt(row["design"], bytes(row["features"]), vector_of(row["vector"]))


@dataclass(frozen=True, slots=True)
class Draft:
    """What was seen on one, as it was kept."""

    design: str
    features: bytes
    served: bool  # whether it is what the caller was given


@dataclass(frozen=True, slots=True)
class Mark:
    """That an outcome is known as this. `clock` None: nothing was learned from it."""

    job: UUID
    model: str
    quality: float
    source: Source
    weight: float  # that it counts for
    clock: float | None


@dataclass(frozen=True, slots=True)
class NewOutcome:
    """An outcome that the learner does not know, or knows otherwise."""

    job: UUID
    model: str
    quality: float
    source: Source
    learned: Mark | None  # as the learner knows it
    task: str | None
    prompt: Prompt | None  # None: nothing was decided for the job, or it is gone
    draft: Draft | None  # of this model, for this job


def outcomes(tenant: UUID, *, limit: int) -> Statement[NewOutcome]:
    """The next ones, oldest first."""
    return Statement(_SQL["outcomes"], {"tenant": tenant, "limit": limit}, _outcome)


def _outcome(row: Row) -> NewOutcome:
    return NewOutcome(
        job=row["job_id"],
        model=row["model"],
        quality=row["quality"],
        source=Source(row["source"]),
        learned=None if row["learned_quality"] is None else _known(row),
        task=row["task"],
        prompt=None if row["design"] is None else _prompt(row),
        draft=_draft(row) if row["of_draft"] else None,
    )


def _known(row: Row) -> Mark:
    return Mark(
        row["job_id"],
        row["model"],
        row["learned_quality"],
        Source(row["learned_source"]),
        row["learned_weight"],
        row["learned_clock"],
    )


def _draft(row: Row) -> Draft:
    return Draft(row["draft_design"], bytes(row["draft_features"]), row["draft_served"])


@dataclass(frozen=True, slots=True)
class PastAsk:
    prompt: Prompt
    cents: Mapping[str, float]  # expected, by model that could answer


def recent(tenant: UUID, *, limit: int) -> Statement[PastAsk]:
    """Of the newest decisions those in which a model was to be chosen. O(limit) along the primary key."""
    params = {"tenant": tenant, "limit": limit}
    return Statement(_SQL["recent"], params, lambda row: PastAsk(_prompt(row), row["cents"]))
