"""Statements that read decisions back, with the words that they were made for and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from aico.core.chat import AUTO_MODELS, ChatRequest
from aico.core.jobs import Controls
from aico.store.decisions import vector_of
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("replays")
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Replayable:
    decisions: int  # in which a model was to be chosen
    wordless: int  # of them those whose prompt has been deleted since


@dataclass(frozen=True, slots=True)
class PastDecision:
    job: UUID
    request: ChatRequest
    controls: Controls
    learned_version: int | None
    asked: str
    first_choice: str
    answered_by: str | None
    chances: Mapping[str, float]
    expected: Mapping[str, float]
    cents: Mapping[str, float]  # expected, by model that could answer
    cost_cents: float | None  # of all attempts; None: unknown
    vector: NDArray[np.float32] | None
    drafted: bool  # the first choice's answer was checked, and another model asked where it did not pass
    quality: float | None  # of the first choice's answer, if somebody has judged it


def replayable(tenant: UUID, since: datetime, until: datetime) -> Statement[Replayable]:
    """O(decisions of the period): for whoever asks at a command line."""
    return Statement(_SQL["replayable"], _period(tenant, since, until), lambda row: Replayable(**row))


def page(
    tenant: UUID, since: datetime, until: datetime, *, after: UUID = _FIRST, limit: int
) -> Statement[PastDecision]:
    """The next ones whose words are still there, by job."""
    params = {**_period(tenant, since, until), "after": after, "limit": limit}
    return Statement(_SQL["page"], params, _past)


def _period(tenant: UUID, since: datetime, until: datetime) -> dict[str, object]:
    return {"tenant": tenant, "since": since, "until": until, "asked": list(AUTO_MODELS)}


def _past(row: Row) -> PastDecision:
    return PastDecision(
        job=row["job_id"],
        request=ChatRequest.model_validate(row["request"]),
        controls=Controls.model_validate(row["controls"]),
        learned_version=row["learned_version"],
        asked=row["asked"],
        first_choice=row["first_choice"],
        answered_by=row["model"],
        chances=row["chances"],
        expected=row["expected"],
        cents=row["cents"],
        cost_cents=None if row["cost_cents"] is None else float(row["cost_cents"]),
        vector=vector_of(row["vector"]),
        drafted=row["drafted"],
        quality=row["quality"],
    )
