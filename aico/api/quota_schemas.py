"""What goes over the wire about quotas and alerts. Amounts are decimal strings, in a quota's unit."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aico.core.inputs import QuotaScope
from aico.core.quotas import Period, Quota, Source, Unit
from aico.store.alerts import Alert, AlertKind
from aico.store.quotas import Standing


class QuotaRequest(BaseModel):
    """A quota of the tenant's own, beside those of the plan and the operator: all of them must have room."""

    model_config = ConfigDict(extra="forbid")

    scope: QuotaScope = "tenant"
    period: Annotated[Period, Field(description="A window of the calendar, in UTC.")]
    unit: Unit
    limit: Annotated[
        Decimal, Field(ge=0, le=10**15, max_digits=22, decimal_places=6, description="In the unit, for each window.")
    ]

    @property
    def quota(self) -> Quota:
        return Quota(self.scope, self.period, self.unit)


class QuotaView(BaseModel):
    scope: str
    period: Period
    unit: Unit
    source: Annotated[Source, Field(description="Who set it. Tenants change those of `tenant` alone.")]
    limit: Decimal
    used: Annotated[Decimal, Field(description="By calls of jobs that were submitted in the present window.")]
    reserved: Annotated[Decimal, Field(description="For those of them that have not ended.")]
    left: Decimal
    starts_at: datetime
    resets_at: datetime

    @classmethod
    def of(cls, standing: Standing) -> "QuotaView":
        return cls(
            scope=standing.quota.scope,
            period=standing.quota.period,
            unit=standing.quota.unit,
            source=standing.source,
            limit=standing.limit,
            used=standing.used,
            reserved=standing.reserved,
            left=standing.left,
            starts_at=standing.starts_at,
            resets_at=standing.resets_at,
        )


class QuotaList(BaseModel):
    data: list[QuotaView]


class AlertView(BaseModel):
    id: UUID
    kind: AlertKind
    created_at: datetime
    detail: Annotated[dict[str, Any], Field(description="The figures, as webhook endpoints are sent them.")]


class AlertPage(BaseModel):
    data: list[AlertView]
    has_more: bool
    next: Annotated[UUID | None, Field(description="Give as `after` to read on.")] = None

    @classmethod
    def of(cls, found: Sequence[Alert], limit: int) -> "AlertPage":
        """A page of at most `limit`, from one more than that where there is more."""
        views = [
            AlertView(id=one.id, kind=one.kind, created_at=one.created_at, detail=one.detail) for one in found[:limit]
        ]
        more = len(found) > limit
        return cls(data=views, has_more=more, next=views[-1].id if more else None)
