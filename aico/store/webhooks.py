"""Statements about webhook endpoints and what is delivered to them. Deliveries are made where jobs end."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from aico.core.jobs import JobStatus
from aico.store.alerts import AlertKind
from aico.store.batches import BatchStatus
from aico.store.statement import Row, Statement, named_sql

_SQL = named_sql("webhooks")
_SECRET_BYTES = 32  # Standard Webhooks asks for 24 to 64

TEST_EVENT = "webhook.test"  # no filter keeps it out: it is asked for
DISABLED_EVENT = "webhook.disabled"
RESPONSE_EVENTS = tuple(f"response.{ending}" for ending in ("completed", "failed", "incomplete", "cancelled"))
EVENTS = (
    *(f"job.{status.value}" for status in JobStatus if status.final),
    *(f"batch.{status.value}" for status in BatchStatus if status.final),
    *RESPONSE_EVENTS,
    DISABLED_EVENT,
    *(kind.value for kind in AlertKind),
)

MAX_ENDPOINTS = 20  # of a tenant
MAX_OLD_SECRETS = 3  # of an endpoint, that sign beside the present one
SCHEDULE_SECONDS = 84 * 3600  # no delivery is tried for longer: all delays, each a tenth longer
_KEPT_ATTEMPTS = 20  # of a delivery, in its log


def make_secret() -> SecretStr:
    """A new signing secret as Standard Webhooks writes it: `whsec_` and base64."""
    return SecretStr("whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: UUID
    url: str
    description: str
    events: list[str]  # empty: all
    enabled: bool
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


def lock_tenant(tenant: UUID) -> Statement[UUID]:
    """Comes before `add` in its transaction, so that two that add at once are counted one after the other."""
    return Statement(_SQL["lock_tenant"], {"tenant": tenant}, _id)


def add(
    tenant: UUID, endpoint: UUID, url: str, secret: SecretStr, events: Sequence[str], description: str = ""
) -> Statement[UUID]:
    """`events` empty: all of them. No row: the tenant has MAX_ENDPOINTS."""
    params = {
        "id": endpoint,
        "tenant": tenant,
        "url": url,
        "description": description,
        "secret": secret.get_secret_value(),
        "events": list(events),
        "most": MAX_ENDPOINTS,
    }
    return Statement(_SQL["add"], params, _id)


def endpoints(tenant: UUID, endpoint: UUID | None = None) -> Statement[Endpoint]:
    """All of the tenant's, oldest first, or the one with this id if there is one."""
    return Statement(_SQL["endpoints"], {"tenant": tenant, "id": endpoint}, lambda row: Endpoint(**row))


def change(
    tenant: UUID,
    endpoint: UUID,
    *,
    url: str | None = None,
    description: str | None = None,
    events: Sequence[str] | None = None,
    enabled: bool | None = None,
) -> Statement[UUID]:
    """What is None stays as it is. No row: the tenant has no such endpoint. `release` follows in its transaction."""
    params = {
        "tenant": tenant,
        "id": endpoint,
        "url": url,
        "description": description,
        "events": None if events is None else list(events),
        "enabled": enabled,
    }
    return Statement(_SQL["change"], params, _id)


def release(tenant: UUID, endpoint: UUID) -> Statement[UUID]:
    """If the endpoint is enabled, what was held for it is due; what began SCHEDULE_SECONDS ago has failed."""
    params = {"tenant": tenant, "id": endpoint, "schedule": SCHEDULE_SECONDS}
    return Statement(_SQL["release"], params, _id)


def remove(tenant: UUID, endpoint: UUID) -> Statement[UUID]:
    """Its deliveries go with it. No row: the tenant has no such endpoint."""
    return Statement(_SQL["remove"], {"tenant": tenant, "id": endpoint}, _id)


def rotate(tenant: UUID, endpoint: UUID, secret: SecretStr, overlap_seconds: float) -> Statement[UUID]:
    """From now on `secret` signs; older ones beside it for `overlap_seconds` at most. No row: no such endpoint."""
    params = {
        "tenant": tenant,
        "id": endpoint,
        "secret": secret.get_secret_value(),
        "overlap": overlap_seconds,
        "most": MAX_OLD_SECRETS,
    }
    return Statement(_SQL["rotate"], params, _id)


def _id(row: Row) -> UUID:
    found: UUID = row["id"]
    return found


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """`attempts` counts those begun. `log` has the latest that ended: {number, at, http_status, error, duration_ms}.

    A number that is missing from it is an attempt whose worker died.
    """

    id: UUID
    event: str
    job_id: UUID | None
    status: DeliveryStatus
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: datetime
    next_attempt_at: datetime | None  # None: none is planned
    payload: dict[str, Any]
    log: list[dict[str, Any]]


def _logged(row: Row) -> LoggedDelivery:
    return LoggedDelivery(**{**row, "status": DeliveryStatus(row["status"])})


def deliveries(
    tenant: UUID,
    endpoint: UUID,
    *,
    delivery: UUID | None = None,
    status: DeliveryStatus | None = None,
    after: UUID | None = None,
    limit: int = 1,
) -> Statement[LoggedDelivery]:
    """Newest first, those older than `after`; or the one with this id if there is one."""
    params = {
        "tenant": tenant,
        "endpoint": endpoint,
        "id": delivery,
        "status": None if status is None else status.value,
        "after": after,
        "limit": limit,
    }
    return Statement(_SQL["deliveries"], params, _logged)


def test(tenant: UUID, endpoint: UUID) -> Statement[LoggedDelivery]:
    """A new delivery that says nothing but that it arrived. No row: the endpoint is disabled or not there."""
    return Statement(_SQL["test"], {"tenant": tenant, "id": endpoint, "event": TEST_EVENT}, _logged)


def redeliver(tenant: UUID, endpoint: UUID, delivery: UUID) -> Statement[LoggedDelivery]:
    """Due again, by a schedule that begins anew. No row: it is pending, its endpoint is disabled, or there is none."""
    return Statement(_SQL["redeliver"], {"tenant": tenant, "endpoint": endpoint, "id": delivery}, _logged)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The right to make one attempt until the lease runs out; `attempts` counts it already, and proves it."""

    id: UUID  # the receiver's key to recognise a repetition
    endpoint: UUID
    attempts: int
    tries: int  # those of this schedule
    payload: dict[str, Any]
    url: str
    secrets: tuple[SecretStr, ...]  # the present one first


def claim(tenant: UUID, delivery: UUID, lease_seconds: float) -> Statement[Delivery]:
    """No row: it is not due, somebody else holds it, or its endpoint is disabled."""
    params = {"tenant": tenant, "id": delivery, "lease": lease_seconds}
    return Statement(_SQL["claim"], params, _delivery)


def _delivery(row: Row) -> Delivery:
    signing = tuple(map(SecretStr, row["secrets"]))
    return Delivery(
        row["id"], row["endpoint_id"], row["attempts"], row["tries"], row["payload"], row["url"], secrets=signing
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. A pending delivery is tried again after `retry_seconds`."""

    status: DeliveryStatus
    http_status: int | None = None
    error: str | None = None
    retry_seconds: float = 0.0
    duration_ms: int = 0
    hopeless: bool = False  # nothing more will arrive there: the endpoint is to be disabled


def settle(tenant: UUID, delivery: Delivery, outcome: Outcome) -> Statement[UUID]:
    """No row: a newer attempt holds the delivery, or its endpoint has been removed."""
    params = {
        "tenant": tenant,
        "id": delivery.id,
        "attempts": delivery.attempts,
        "status": outcome.status.value,
        "http_status": outcome.http_status,
        "error": outcome.error,
        "retry": outcome.retry_seconds,
        "duration": outcome.duration_ms,
        "kept": _KEPT_ATTEMPTS,
    }
    return Statement(_SQL["settle"], params, _id)


def disable(tenant: UUID, delivery: Delivery, reason: str | None) -> Statement[UUID]:
    """Disable the endpoint if this attempt settled the delivery as failed; follows `settle` in its transaction.

    Returns the deliveries that tell the tenant's other endpoints of it, to be rung for.
    """
    params = {
        "tenant": tenant,
        "delivery": delivery.id,
        "attempts": delivery.attempts,
        "reason": reason,
        "event": DISABLED_EVENT,
    }
    return Statement(_SQL["disable"], params, _id)


def postpone(tenant: UUID, delivery: Delivery, pause_seconds: float) -> Statement[UUID]:
    """Give the attempt back unused."""
    params = {"tenant": tenant, "id": delivery.id, "attempts": delivery.attempts, "pause": pause_seconds}
    return Statement(_SQL["postpone"], params, _id)


@dataclass(frozen=True, slots=True)
class Due:
    tenant: UUID
    delivery: UUID


def due(*, quiet_seconds: float, limit: int) -> Statement[Due]:
    """Deliveries that are due and whose bell has not rung for `quiet_seconds`, or was answered."""
    params = {"quiet": quiet_seconds, "limit": limit}
    return Statement(_SQL["due"], params, lambda row: Due(row["tenant_id"], row["delivery_id"]))


def purge(*, older_than_days: int, limit: int) -> Statement[int]:
    """Delete up to `limit` deliveries whose schedule began longer ago; returns how many there were."""
    return Statement(_SQL["purge"], {"days": older_than_days, "limit": limit}, lambda row: row["purged"])
