"""Tells endpoints what happened: signed webhooks after Standard Webhooks 1.0.0, tried again for three days."""

import asyncio
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from uuid import UUID

import httpx2
import structlog
from standardwebhooks import Webhook

from aico.core.canonical import canonical_json
from aico.core.errors import AicoError
from aico.routing.providers.failures import retry_after_seconds
from aico.store import webhooks
from aico.store.scope import Scope
from aico.store.webhooks import Delivery, DeliveryStatus, Outcome
from aico.workers.app import app
from aico.workers.egress import Destination, parse_url, resolve
from aico.workers.lanes import Lanes
from aico.workers.queue import TaskName
from aico.workers.runtime import Runtime, get_runtime, patiently

log = structlog.get_logger()

TIMEOUT_SECONDS = 15.0  # for the whole exchange, however slowly bytes arrive
LEASE_SECONDS = 60.0  # longer than waiting for a lane, a slow resolver and an exchange together
LANES_PER_HOST = 4
LANE_PATIENCE_SECONDS = 1.0
NO_LANE_PAUSE_SECONDS = TIMEOUT_SECONDS

_MINUTE, _HOUR = 60.0, 3600.0
# Seconds after each failed attempt: the schedule of Standard Webhooks, about 75 hours in all.
DELAYS = (
    *(5.0, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR),
    *(10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)
JITTER = 0.1
# Refusals that may pass. Every other 4xx says that the request itself is unwanted, 410 that the endpoint is gone.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    retry_after: float | None  # seconds


def next_delay(attempts: int, retry_after: float | None, uniform: float) -> float | None:
    """Seconds until the next attempt after `attempts` failed ones; None after the last.

    `uniform` in [0, 1) spreads it by a tenth either way. What the endpoint asks for is honoured where it is longer, up
    to the longest delay of the schedule.
    """
    if attempts > len(DELAYS):
        return None
    delay = DELAYS[attempts - 1] * (1 - JITTER + 2 * JITTER * uniform)
    return max(delay, min(retry_after or 0.0, DELAYS[-1]))


def judge(reply: Reply, attempts: int, uniform: float) -> Outcome:
    """Only 2xx is a delivery. Redirects are failures: following one would lead around the check of the address."""
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(DeliveryStatus.DELIVERED, reply.status)
    error = f"the endpoint answered {reply.status}"
    refused = HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR
    if refused and reply.status not in _PASSING:
        return Outcome(DeliveryStatus.FAILED, reply.status, error)
    return _again(attempts, error, uniform, reply)


def _again(attempts: int, error: str, uniform: float, reply: Reply | None = None) -> Outcome:
    status, retry_after = (reply.status, reply.retry_after) if reply else (None, None)
    delay = next_delay(attempts, retry_after, uniform)
    if delay is None:
        return Outcome(DeliveryStatus.FAILED, status, f"{error}; given up after {attempts} attempts")
    return Outcome(DeliveryStatus.PENDING, status, error, delay)


def signed(delivery: Delivery, body: bytes, at: datetime) -> Mapping[str, str]:
    """The headers that prove where the body comes from and when it was sent. `at` in UTC."""
    signature = Webhook(delivery.secret.get_secret_value()).sign(str(delivery.id), at, body.decode())
    return {
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def send(delivery: Delivery, destination: Destination) -> Reply:
    """One POST. Raises TimeoutError, or httpx2.HTTPError when the exchange breaks."""
    # A blocking client bounds each read, not the exchange: a drip of bytes could hold a thread for ever.
    return asyncio.run(_post(delivery, destination))


async def _post(delivery: Delivery, destination: Destination) -> Reply:
    body = canonical_json(delivery.payload)
    headers = {
        "Host": destination.host,
        "Content-Type": "application/json",
        "User-Agent": "aico",
        **signed(delivery, body, datetime.now(UTC)),
    }
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        # No proxy from the environment: it would look the name up again.
        httpx2.AsyncClient(verify=_tls(), trust_env=False, timeout=None) as client,
        client.stream(
            "POST",
            destination.url,
            content=body,
            headers=headers,
            extensions={"sni_hostname": destination.server_name},
            follow_redirects=False,
        ) as response,
    ):  # the body is left unread: the status says all
        return Reply(response.status_code, retry_after_seconds(response.headers, datetime.now(UTC)))


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


@cache
def _lanes() -> Lanes:
    return Lanes(LANES_PER_HOST, patience=LANE_PATIENCE_SECONDS)


def attempt(delivery: Delivery, *, allow_private: bool) -> Outcome | None:
    """None: every lane to the host is taken, and nothing was tried."""
    try:
        url = parse_url(delivery.url, allow_private=allow_private)
        with _lanes().entered(url.host) as free:
            if not free:
                return None
            reply = send(delivery, resolve(url, allow_private=allow_private))
    except AicoError as error:
        return _again(delivery.attempts, error.detail, random.random())
    except TimeoutError:
        return _again(delivery.attempts, f"no answer within {TIMEOUT_SECONDS:.0f} s", random.random())
    except httpx2.HTTPError as error:
        return _again(delivery.attempts, f"the connection failed: {type(error).__name__}", random.random())
    return judge(reply, delivery.attempts, random.random())


@app.task(name=TaskName.NOTIFY.value)
def notify(tenant_id: str, job_id: str) -> None:
    """Makes the attempts that are due. Does nothing when there are none: a bell may ring twice."""
    runtime, tenant = get_runtime(), UUID(tenant_id)
    claim = webhooks.claim(tenant, UUID(job_id), LEASE_SECONDS)
    while claimed := patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), claim)):
        _deliver(runtime, tenant, claimed[0])


def _deliver(runtime: Runtime, tenant: UUID, delivery: Delivery) -> None:
    outcome = attempt(delivery, allow_private=runtime.settings.webhook_allow_private)
    if outcome is None:
        statement = webhooks.postpone(tenant, delivery, NO_LANE_PAUSE_SECONDS)
    else:
        statement = webhooks.settle(tenant, delivery, outcome)
        log.info(
            "webhook_attempted",
            tenant=str(tenant),
            delivery=str(delivery.id),
            attempt=delivery.attempts,
            status=outcome.status.value,
            error=outcome.error,
        )
    patiently(lambda: runtime.database.run(Scope.tenant(tenant), statement))


def warm_up() -> None:
    """Read the certificates that TLS trusts, before the first message."""
    _tls()
