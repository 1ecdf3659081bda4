"""Statements about quotas. Where jobs are stored they reserve; triggers charge and give back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from aico.core.quotas import Period, Quota, Source, Unit
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("quotas")

MAX_QUOTAS = 100  # of a tenant and source


class Outcome(StrEnum):
    SET = "set"
    NO_KEY = "no_key"  # the tenant has no such API key
    TOO_MANY = "too_many"


def put(tenant: UUID, quota: Quota, limit: Decimal, source: Source, actor: str) -> Statement[Outcome]:
    """Set it, from this moment on. Its window begins with what the ledger has.

    O(rollups of the window), and of a key or a tag O(attempts since its start).
    """
    params = {**_named(tenant, quota, source, actor), "quota": limit, "most": MAX_QUOTAS}
    return Statement(_SQL["put"], params, lambda row: Outcome(row["outcome"]))


def remove(tenant: UUID, quota: Quota, source: Source, actor: str) -> Statement[bool]:
    """Whether there was one."""
    return Statement(_SQL["remove"], _named(tenant, quota, source, actor), lambda row: row["removed"])


def _named(tenant: UUID, quota: Quota, source: Source, actor: str) -> Mapping[str, Any]:
    return {
        "tenant": tenant,
        "scope": quota.scope,
        "period": quota.period.value,
        "unit": quota.unit.value,
        "source": source.value,
        "name": quota.name,
        "actor": actor,
    }


@dataclass(frozen=True, slots=True)
class Standing:
    """A quota and its present window."""

    quota: Quota
    source: Source
    limit: Decimal
    used: Decimal
    reserved: Decimal  # by jobs that have not ended
    starts_at: datetime
    resets_at: datetime

    @property
    def left(self) -> Decimal:
        return max(self.limit - self.used - self.reserved, Decimal(0))


def standings(tenant: UUID) -> Statement[Standing]:
    """All of the tenant's, its own first, the longest periods first."""
    return Statement(_SQL["standings"], {"tenant": tenant}, _standing)


def _standing(row: Row) -> Standing:
    return Standing(
        quota=Quota(row["scope"], Period(row["period"]), Unit(row["unit"])),
        source=Source(row["source"]),
        limit=row["quota"],
        used=row["used"],
        reserved=row["reserved"],
        starts_at=row["starts_at"],
        resets_at=row["resets_at"],
    )


def purge(*, kept_days: int, limit: int) -> Statement[int]:
    """Delete windows that are long over and alerts that are older. Returns how many; `limit`: there may be more."""
    return Statement(_SQL["purge"], {"days": kept_days, "limit": limit}, lambda row: row["purged"])
