"""Statements about alerts: what a tenant was told of, and what may be worth it. Thresholds are told of by triggers."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.anomaly import LEAST_CENTS, Anomaly
from aico.core.quotas import plain
from aico.store.statement import Statement, named_sql

_SQL = named_sql("alerts")
_DAYS = 28


class AlertKind(StrEnum):
    """Webhook events are called the same."""

    THRESHOLD = "quota.threshold_reached"
    ANOMALY = "spend.anomaly"
    PRICE_UNKNOWN = "price.unknown"
    EXPERIMENT_STOPPED = "experiment.stopped"
    ARM_ENDED = "experiment.arm_ended"


# Of what an answered call has no cost for want of, told once a day and model by the statement that books it.
MISSING = MappingProxyType(
    {
        "price": (
            "no price of this model is known, so that what it costs is in no sum: name one under [[prices]] in the"
            " operator's CATALOGUE_FILE, then `aico reprice --unpriced-only` prices what was booked"
        ),
        "usage": (
            "the provider answered without saying how many tokens it counted, so that what it costs is in no sum: let"
            " it report its usage, or look for it in its bill"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Alert:
    id: UUID
    kind: AlertKind
    detail: dict[str, Any]
    created_at: datetime


def page(tenant: UUID, *, after: UUID | None, limit: int) -> Statement[Alert]:
    """Newest first, those older than `after`."""
    params = {"tenant": tenant, "after": after, "limit": limit}
    return Statement(_SQL["page"], params, lambda row: Alert(**{**row, "kind": AlertKind(row["kind"])}))


@dataclass(frozen=True, slots=True)
class Spend:
    """US cents in an hour, and in the same hour of the days before as far as there are any."""

    tenant: UUID
    cents: Decimal
    earlier: list[Decimal]


def spends(hour: datetime) -> Statement[Spend]:
    """Of tenants who spent enough in the hour that begins then. O(tenants), and O(days x models) for each of these."""
    params = {"hour": hour, "days": _DAYS, "least": LEAST_CENTS}
    return Statement(_SQL["spends"], params, lambda row: Spend(row["tenant_id"], row["spent"], row["earlier"]))


def raise_anomaly(tenant: UUID, hour: datetime, anomaly: Anomaly) -> Statement[bool]:
    """Note it and make its deliveries, for which the sweeper rings. False: this hour was told of already."""
    detail = {
        "hour": hour.isoformat(),
        "spent_cents": plain(anomaly.spent),
        "median_cents": plain(anomaly.median),
        "deviation_cents": plain(anomaly.deviation),
        "score": float(round(anomaly.score, 1)),
        "days": anomaly.days,
        "explanation": anomaly.explanation,
    }
    params = {"tenant": tenant, "kind": AlertKind.ANOMALY, "occasion": hour.isoformat(), "detail": Jsonb(detail)}
    return Statement(_SQL["raise_anomaly"], params, lambda row: row["raised"])
