"""Statements about flights: jobs that ask the same at the same time, of which one leads and the others follow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aico.core.jobs import JobClass
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("flights")


@dataclass(frozen=True, slots=True)
class Next:
    """A follower that is to lead: it waits for a worker of its class."""

    id: UUID
    job_class: JobClass


def all_next(found: Iterable[Mapping[str, str]] | None) -> tuple[Next, ...]:
    """Of a JSON array of {id, class}, or null."""
    return tuple(Next(UUID(one["id"]), JobClass(one["class"])) for one in found or ())


def hand_over(tenant: UUID, job: UUID) -> Statement[Next]:
    """Where this job can no longer answer those who follow it. No row: nobody does, or somebody else leads them."""
    return Statement(
        _SQL["hand_over"], {"tenant": tenant, "id": job}, lambda row: Next(row["job_id"], JobClass(row["class"]))
    )


@dataclass(frozen=True, slots=True)
class Stranded:
    tenant: UUID
    next: Next


def stranded() -> Statement[Stranded]:
    """Hand over whatever is led by nobody, of all tenants. O(flights that have followers)."""
    return Statement(
        _SQL["stranded"],
        {},
        lambda row: Stranded(row["tenant_id"], Next(row["job_id"], JobClass(row["class"]))),
    )


@dataclass(frozen=True, slots=True)
class Following:
    """A streaming job, and whose answer it hears. The generations number texts that were begun, from 0."""

    job: UUID
    generation: int
    leader: UUID
    leader_generation: int


def joined(tenant: UUID, job: UUID) -> Statement[Following]:
    """Whose pieces are this job's. No row: it does not follow, or one of the two does not stream."""
    return Statement(_SQL["joined"], {"tenant": tenant, "id": job}, _following)


def begin_anew(tenant: UUID, leader: UUID, fence: int) -> Statement[Following]:
    """The leader's answer begins anew, and so do those of the jobs that follow it and stream."""
    params: dict[str, Any] = {"tenant": tenant, "id": leader, "fence": fence}
    return Statement(_SQL["begin_anew"], params, _following)


def _following(row: Row) -> Following:
    return Following(row["id"], row["fence"] - 1, row["leader"], row["leader_fence"] - 1)
