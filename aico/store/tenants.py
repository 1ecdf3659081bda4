"""Statements about tenants, members, API keys and shares of the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aico.core.access import Permission, Role
from aico.core.jobs import CacheMode, JobClass
from aico.core.keys import NewKey
from aico.core.plans import Plan
from aico.core.redaction import PiiPolicy
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("tenants")


def create(tenant: UUID, name: str, baseline_model: str | None = None) -> Statement[None]:
    return Statement(_SQL["create"], {"id": tenant, "name": name, "baseline": baseline_model}, no_row)


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    name: str
    created_at: datetime


def find(name: str) -> Statement[Tenant]:
    return Statement(_SQL["find"], {"name": name}, lambda row: Tenant(**row))


def create_key(tenant: UUID, key: NewKey, scopes: Sequence[str] = ()) -> Statement[None]:
    params = {
        "id": key.id,
        "tenant": tenant,
        "name": key.name,
        "prefix": key.prefix,
        "hash": key.hash,
        "scopes": list(scopes),
        "expires": key.expires_at,
    }
    return Statement(_SQL["create_key"], params, no_row)


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def keys(tenant: UUID) -> Statement[ApiKey]:
    return Statement(_SQL["keys"], {"tenant": tenant}, lambda row: ApiKey(**row))


def revoke_key(tenant: UUID, prefix: str) -> Statement[UUID]:
    """Returns the revoked key's id; no row when there was no live key with this prefix."""
    return Statement(_SQL["revoke_key"], {"tenant": tenant, "prefix": prefix}, lambda row: row["id"])


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom an API key speaks for."""

    key: UUID
    tenant: UUID
    scopes: frozenset[Permission]  # none: those of every key
    cache_mode: CacheMode | None  # of the tenant's policy
    pii: PiiPolicy  # likewise


def authenticate(key_hash: bytes) -> Statement[Holder]:
    return Statement(_SQL["authenticate"], {"hash": key_hash}, _holder)


def _holder(row: Row) -> Holder:
    return Holder(
        row["key_id"], row["tenant_id"], frozenset(map(Permission, row["scopes"])), _mode(row), PiiPolicy(row["pii"])
    )


@dataclass(frozen=True, slots=True)
class Membership:
    tenant: UUID
    role: Role
    cache_mode: CacheMode | None  # of the tenant's policy
    pii: PiiPolicy  # likewise


def memberships() -> Statement[Membership]:
    """Of the user that the transaction runs for."""
    return Statement(_SQL["memberships"], {}, _membership)


def _membership(row: Row) -> Membership:
    return Membership(row["tenant_id"], Role(row["role"]), _mode(row), PiiPolicy(row["pii"]))


def _mode(row: Row) -> CacheMode | None:
    return None if row["cache_mode"] is None else CacheMode(row["cache_mode"])


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for a tenant's jobs where their callers do not say otherwise."""

    fallback: bool  # another model may answer where the one that was named fails
    cache_mode: CacheMode | None  # None: the service's
    baseline_model: str | None  # likewise
    pii: PiiPolicy = PiiPolicy.OFF  # whether personal data is replaced before anything is stored


def policy(tenant: UUID) -> Statement[Policy]:
    return Statement(
        _SQL["policy"],
        {"tenant": tenant},
        lambda row: Policy(row["fallback"], _mode(row), row["baseline_model"], PiiPolicy(row["pii"])),
    )


def set_policy(tenant: UUID, policy: Policy) -> Statement[None]:
    params = {
        "tenant": tenant,
        "fallback": policy.fallback,
        "cache_mode": policy.cache_mode and policy.cache_mode.value,
        "baseline_model": policy.baseline_model,
        "pii": policy.pii.value,
    }
    return Statement(_SQL["set_policy"], params, no_row)


def set_plan(tenant: UUID, plan: Plan | None) -> Statement[None]:
    """None: no plan, and none of its limits."""
    return Statement(_SQL["set_plan"], {"tenant": tenant, "plan": plan}, no_row)


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
