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
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("webhooks")
_SECRET_BYTES = 32  # Standard Webhooks asks for 24 to 64

EVENTS = tuple(f"job.{status.value}" for status in JobStatus if status.final)


def make_secret() -> SecretStr:
    """A new signing secret as Standard Webhooks writes it: `whsec_` and base64."""
    return SecretStr("whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


def add(tenant: UUID, endpoint: UUID, url: str, secret: SecretStr, events: Sequence[str]) -> Statement[None]:
    """`events` empty: all of them."""
    params = {
        "id": endpoint,
        "tenant": tenant,
        "url": url,
        "secret": secret.get_secret_value(),
        "events": list(events),
    }
    return Statement(_SQL["add"], params, no_row)


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: UUID
    url: str
    events: list[str]  # empty: all
    enabled: bool
    created_at: datetime


def endpoints(tenant: UUID) -> Statement[Endpoint]:
    return Statement(_SQL["endpoints"], {"tenant": tenant}, lambda row: Endpoint(**row))


def remove(tenant: UUID, endpoint: UUID) -> Statement[UUID]:
    """Its deliveries go with it. No row: the tenant has no such endpoint."""
    return Statement(_SQL["remove"], {"tenant": tenant, "id": endpoint}, lambda row: row["id"])


@dataclass(frozen=True, slots=True)
class Delivery:
    """The right to make one attempt until the lease runs out; `attempts` counts it already, and proves it."""

    id: UUID  # the receiver's key to recognise a repetition
    attempts: int
    payload: dict[str, Any]
    url: str
    secret: SecretStr


def claim(tenant: UUID, job: UUID, lease_seconds: float) -> Statement[Delivery]:
    """One of the job's deliveries that are due. No row: none is, or somebody else holds it."""
    params = {"tenant": tenant, "job": job, "lease": lease_seconds}
    return Statement(_SQL["claim"], params, _delivery)


def _delivery(row: Row) -> Delivery:
    return Delivery(row["id"], row["attempts"], row["payload"], row["url"], SecretStr(row["secret"]))


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. A pending delivery is tried again after `retry_seconds`."""

    status: DeliveryStatus
    http_status: int | None = None
    error: str | None = None
    retry_seconds: float = 0.0


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
    }
    return Statement(_SQL["settle"], params, lambda row: row["id"])


def postpone(tenant: UUID, delivery: Delivery, pause_seconds: float) -> Statement[UUID]:
    """Give the attempt back unused."""
    params = {"tenant": tenant, "id": delivery.id, "attempts": delivery.attempts, "pause": pause_seconds}
    return Statement(_SQL["postpone"], params, lambda row: row["id"])


@dataclass(frozen=True, slots=True)
class Due:
    tenant: UUID
    job: UUID


def due(*, quiet_seconds: float, limit: int) -> Statement[Due]:
    """One row for each delivery that is due and whose bell has not rung for `quiet_seconds`, or was answered."""
    params = {"quiet": quiet_seconds, "limit": limit}
    return Statement(_SQL["due"], params, lambda row: Due(row["tenant_id"], row["job_id"]))
