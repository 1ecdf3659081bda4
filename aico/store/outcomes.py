"""Statements about how good answers were, whoever judged them."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from aico.store.statement import Statement, named_sql

_SQL = named_sql("outcomes")


class Source(StrEnum):
    """Who judged, from the least to the most weight."""

    IMPLICIT = "implicit"  # what the caller did next, or how the answer ended
    JUDGE = "judge"  # a model that compared two answers
    USER = "user"


def observe(tenant: UUID, job: UUID, model: str, quality: float, source: Source) -> Statement[bool]:
    """Store a quality in 0..1 of what `model` answered, or would have answered, to an answered job.

    Whether it stands: a judgement of less weight leaves one of more weight as it is. No row without such a job. The
    figures of the job's arms follow where `model` is the one that answered.
    """
    params = {"tenant": tenant, "job": job, "model": model, "quality": quality, "source": source.value}
    return Statement(_SQL["observe"], params, lambda row: row["stands"])


def observe_repeats(since: datetime, until: datetime, *, patience_seconds: float, quality: float) -> Statement[int]:
    """Judge the answers after which the same key asked for a new one, between these moments. Returns how many.

    Of all tenants. Looking at the same time again changes nothing.
    """
    params = {"since": since, "until": until, "patience": patience_seconds, "quality": quality}
    return Statement(_SQL["observe_repeats"], params, lambda row: row["judged"])


@dataclass(frozen=True, slots=True)
class Judged:
    """Sums over the answers of a model to prompts of a task that a source judged."""

    model: str
    task: str  # empty: not known
    source: Source
    judged: int
    quality: float
    quality_squared: float


def summary(tenant: UUID, *, since: date, model: str | None = None) -> Statement[Judged]:
    """From the rollups. O(days x models x tasks)."""
    params = {"tenant": tenant, "since": since, "model": model}
    return Statement(_SQL["summary"], params, lambda row: Judged(**{**row, "source": Source(row["source"])}))


@dataclass(frozen=True, slots=True)
class Compared:
    """How often the answer of `model` was found better than that of `rival`, as good, and worse."""

    model: str
    rival: str
    wins: int
    ties: int
    losses: int


def pairs(tenant: UUID, *, since: date, model: str | None = None) -> Statement[Compared]:
    """Likewise. `model` may stand on either side."""
    return Statement(_SQL["pairs"], {"tenant": tenant, "since": since, "model": model}, lambda row: Compared(**row))
