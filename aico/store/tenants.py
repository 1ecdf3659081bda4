"""Statements about tenants: how they come to be, their policies, plans and shares of the work."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.access import OPERATOR
from aico.core.cache_policy import GuardPolicy
from aico.core.jobs import CacheMode, CachePersonal, JobClass
from aico.core.plans import Plan
from aico.core.redaction import PiiPolicy
from aico.core.strategies import StrategyName
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("tenants")

MAX_MADE = 10  # tenants that one user may make


def create(tenant: UUID, name: str, baseline_model: str | None = None) -> Statement[None]:
    """By the operator, under a name that no other tenant has."""
    return Statement(_SQL["create"], {"id": tenant, "name": name, "baseline": baseline_model}, no_row)


def make(tenant: UUID, maker: UUID, title: str, plan: Plan, *, personal: bool = False) -> Statement[UUID]:
    """By a user whose token was verified, who becomes its owner.

    No row: he has MAX_MADE, or the personal one already, or there is no such user.
    """
    params = {"tenant": tenant, "maker": maker, "title": title, "plan": plan, "personal": personal, "most": MAX_MADE}
    return Statement(_SQL["make"], params, lambda row: row["tenant_id"])


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    name: str
    created_at: datetime


def find(name: str) -> Statement[Tenant]:
    """By the operator's name or by the id. Tenants that users made have no other name here than their id."""
    return Statement(_SQL["find"], {"name": name}, lambda row: Tenant(**row))


@dataclass(frozen=True, slots=True)
class ListedTenant:
    id: UUID
    name: str
    display_name: str | None
    plan: Plan | None
    personal: bool
    members: int
    created_at: datetime


def everyone(*, after: UUID | None = None, limit: int) -> Statement[ListedTenant]:
    """For the operator: a page of all tenants, by id, which is by age."""
    return Statement(
        _SQL["everyone"],
        {"after": after, "limit": limit},
        lambda row: ListedTenant(**{**row, "plan": _plan(row)}),
    )


def lock(tenant: UUID) -> Statement[UUID]:
    """Comes first in a transaction that counts what a tenant has, so that two count one after the other."""
    return Statement(_SQL["lock"], {"tenant": tenant}, lambda row: row["id"])


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for a tenant's jobs where their callers do not say otherwise."""

    fallback: bool  # another model may answer where the one that was named fails
    cache_mode: CacheMode | None  # None: the service's
    baseline_model: str | None  # likewise
    similarity_threshold: float | None = None  # likewise; a cosine
    pii: PiiPolicy = PiiPolicy.OFF  # whether personal data is replaced before anything is stored
    holdout_share: float | None = None  # of the jobs, answered without us to measure what we save; None: the service's
    strategy: StrategyName | None = None  # by which models are chosen; None: the service's
    quality_target: float | None = None  # likewise; 0..1, of the best single model's quality
    implicit_outcomes: bool = True  # whether what callers do next, and how answers end, counts as a judgement
    shadow_rate: float | None = None  # of jobs that another model answers too; None: the service's
    judge_model: str | None = None  # likewise
    judge_daily_cents: Decimal | None = None  # likewise
    compare_with_own_keys: bool = False
    max_error_rate: float | None = None  # wrong answers per hit by meaning; None: the service's
    cache_guards: GuardPolicy | None = None  # likewise
    cache_personal: CachePersonal = CachePersonal.USER
    cache_max_entries: int | None = None  # at most the service's; None: that


_POLICY = tuple(field.name for field in fields(Policy))


def policy(tenant: UUID) -> Statement[Policy]:
    return Statement(_SQL["policy"], {"tenant": tenant}, _policy)


def _policy(row: Row) -> Policy:
    guards = None if row["cache_guards"] is None else GuardPolicy(row["cache_guards"])
    read = {
        "cache_guards": guards,
        "cache_mode": mode_of(row),
        "pii": PiiPolicy(row["pii"]),
        "strategy": strategy_of(row),
        "cache_personal": CachePersonal(row["cache_personal"]),
    }
    return Policy(**{name: row[name] for name in _POLICY} | read)


def mode_of(row: Row) -> CacheMode | None:
    return None if row["cache_mode"] is None else CacheMode(row["cache_mode"])


def strategy_of(row: Row) -> StrategyName | None:
    return None if row["strategy"] is None else StrategyName(row["strategy"])


def change(tenant: UUID, by: str, changes: Mapping[str, Any]) -> Statement[None]:
    """`changes` names columns: `display_name` and the fields of Policy. What is not named stays as it is."""
    return Statement(_SQL["change"], {"tenant": tenant, "by": by, "changes": Jsonb(dict(changes))}, no_row)


@dataclass(frozen=True, slots=True)
class Profile:
    """A tenant as its members see it."""

    id: UUID
    name: str
    plan: Plan | None
    personal: bool
    created_at: datetime
    policy: Policy


def get(tenant: UUID) -> Statement[Profile]:
    return Statement(
        _SQL["get"],
        {"tenant": tenant},
        lambda row: Profile(row["id"], row["name"], _plan(row), row["personal"], row["created_at"], _policy(row)),
    )


def _plan(row: Row) -> Plan | None:
    return None if row["plan"] is None else Plan(row["plan"])


def set_plan(tenant: UUID, plan: Plan | None, by: str = OPERATOR) -> Statement[None]:
    """None: no plan, and none of its limits."""
    return Statement(_SQL["set_plan"], {"tenant": tenant, "plan": plan, "by": by}, no_row)


@dataclass(frozen=True, slots=True)
class Share:
    """A tenant's claim on a class."""

    job_class: JobClass
    weight: float  # of its turns against those of the others, which have 1
    in_flight_cap: int | None  # jobs; None: the general one


def shares(tenant: UUID) -> Statement[Share]:
    """A class without a row has weight 1 and the general cap."""
    return Statement(_SQL["shares"], {"tenant": tenant}, _share)


def _share(row: Row) -> Share:
    return Share(JobClass(row["class"]), row["weight"], row["in_flight_cap"])


def set_weight(tenant: UUID, job_class: JobClass, weight: float) -> Statement[None]:
    """A weight is above 0 and at most 1000."""
    return Statement(_SQL["set_weight"], {"tenant": tenant, "class": job_class.value, "weight": weight}, no_row)


def set_in_flight_cap(tenant: UUID, job_class: JobClass, cap: int | None) -> Statement[None]:
    """At least 1, or None for the general cap."""
    return Statement(_SQL["set_in_flight_cap"], {"tenant": tenant, "class": job_class.value, "cap": cap}, no_row)
