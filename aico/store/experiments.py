"""Statements about experiments: how they come to be, run and end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.assignment import Arm, Unit
from aico.core.experiments import Plan, Status, levers
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("experiments")

MAX_RUNNING = 20
MAX_EXPERIMENTS = 500


class Outcome(StrEnum):
    """What became of a change. Those of a status: it is in that, which does not allow it."""

    DONE = "done"
    NAME_TAKEN = "name_taken"
    TOO_MANY = "too_many"
    RIVAL = "rival"  # another one that runs changes the same
    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Design:
    """What can be changed before the start alone."""

    unit: Unit
    arms: tuple[Arm, ...]
    plan: Plan


def columns(unit: Unit | None = None, arms: tuple[Arm, ...] | None = None, plan: Plan | None = None) -> dict[str, Any]:
    """Of the parts of a design that are given."""
    shown = None if arms is None else [arm.model_dump(mode="json", exclude_none=True) for arm in arms]
    found = {
        "unit": unit,
        "arms": shown,
        "plan": None if plan is None else plan.model_dump(mode="json"),
        "levers": None if arms is None else levers(arms),
    }
    return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Experiment:
    id: UUID
    name: str
    description: str
    status: Status
    design: Design
    created_by: str  # as the audit log names it
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    stopped_because: str | None


def create(tenant: UUID, experiment: UUID, name: str, description: str, design: Design, by: str) -> Statement[Outcome]:
    """DONE, NAME_TAKEN or TOO_MANY. Where MAX_EXPERIMENTS must hold exactly, `tenants.lock` comes before it."""
    parts = columns(design.unit, design.arms, design.plan)
    params = {
        **_named(tenant, experiment, by),
        "name": name,
        "description": description,
        "unit": parts["unit"],
        "arms": Jsonb(parts["arms"]),
        "plan": Jsonb(parts["plan"]),
        "levers": parts["levers"],
        "most": MAX_EXPERIMENTS,
    }
    return Statement(_SQL["create"], params, _outcome)


def change(
    tenant: UUID, experiment: UUID, words: Mapping[str, str], design: Mapping[str, Any], by: str
) -> Statement[Outcome]:
    """`words`: `name` and `description`, which change at any time. `design`: `columns`, which change in a draft alone.

    What is in neither stays as it is. DONE, NAME_TAKEN, or a status. No row: there is no such experiment.
    """
    params = {**_named(tenant, experiment, by), "changes": Jsonb({**words, **design}), "anytime": not design}
    return Statement(_SQL["change"], params, _outcome)


@dataclass(frozen=True, slots=True)
class Started:
    outcome: Outcome
    rival: str | None  # its name


def start(tenant: UUID, experiment: UUID, by: str) -> Statement[Started]:
    """DONE, TOO_MANY, RIVAL or a status. `tenants.lock` comes before it. No row: there is no such experiment."""
    params = {**_named(tenant, experiment, by), "most": MAX_RUNNING}
    return Statement(_SQL["start"], params, lambda row: Started(_outcome(row), row["rival"]))


def stop(tenant: UUID, experiment: UUID, because: str, by: str) -> Statement[bool]:
    """With its alert, once. No row: it does not run."""
    params = {**_named(tenant, experiment, by), "because": because}
    return Statement(_SQL["stop"], params, lambda row: row["done"])


def end_arm(tenant: UUID, experiment: UUID, arm: str, because: str, by: str) -> Statement[bool]:
    """With its alert, once. No row: it does not run, or that arm has ended."""
    params = {**_named(tenant, experiment, by), "arm": arm, "because": because}
    return Statement(_SQL["end_arm"], params, lambda row: row["done"])


def remove(tenant: UUID, experiment: UUID, by: str) -> Statement[Outcome]:
    """With its figures: DONE, or RUNNING. No row: there is no such experiment."""
    return Statement(_SQL["remove"], _named(tenant, experiment, by), _outcome)


def page(tenant: UUID, *, after: UUID | None = None, limit: int) -> Statement[Experiment]:
    """Newest first."""
    return Statement(_SQL["page"], {"tenant": tenant, "id": None, "after": after, "limit": limit}, _experiment)


def get(tenant: UUID, experiment: UUID) -> Statement[Experiment]:
    return Statement(_SQL["page"], {"tenant": tenant, "id": experiment, "after": None, "limit": 1}, _experiment)


@dataclass(frozen=True, slots=True)
class Running:
    tenant: UUID
    experiment: UUID


def running() -> Statement[Running]:
    """Of all tenants, for the sweeper."""
    return Statement(_SQL["running"], {}, lambda row: Running(row["tenant_id"], row["experiment_id"]))


def _named(tenant: UUID, experiment: UUID, by: str) -> dict[str, Any]:
    return {"tenant": tenant, "id": experiment, "by": by}


def _outcome(row: Row) -> Outcome:
    return Outcome(row["outcome"])


def _experiment(row: Row) -> Experiment:
    return Experiment(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        status=Status(row["status"]),
        design=Design(
            unit=row["unit"],
            arms=tuple(Arm.model_validate(arm) for arm in row["arms"]),
            plan=Plan.model_validate(row["plan"]),
        ),
        created_by=row["created_by"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        stopped_at=row["stopped_at"],
        stopped_because=row["stopped_because"],
    )
