"""Tells endpoints what happened: signed webhooks after Standard Webhooks 1.0.0, tried again for three days."""

import asyncio
import random
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

import httpx2
import structlog

from aico.core.canonical import canonical_json
from aico.core.errors import AicoError, InvalidInput
from aico.routing.providers.failures import retry_after_seconds
from aico.store import webhooks
from aico.store.scope import Scope
from aico.store.webhooks import Delivery, Outcome
from aico.workers.app import app
from aico.workers.delivery import Reply, again, judge, signed
from aico.workers.egress import Destination, parse_url, resolve
from aico.workers.host_limits import HostLimits
from aico.workers.queue import TaskName, to_notify
from aico.workers.runtime import Runtime, get_runtime, patiently

log = structlog.get_logger()

TIMEOUT_SECONDS = 15.0  # for the whole exchange, however slowly bytes arrive
LEASE_SECONDS = 60.0  # longer than waiting for a place, a slow resolver and an exchange together
CALLS_PER_HOST = 4
CALLS_PER_ENDPOINT = 3
PLACE_PATIENCE_SECONDS = 1.0
NO_PLACE_PAUSE_SECONDS = TIMEOUT_SECONDS


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
def _limits() -> HostLimits:
    return HostLimits(per_host=CALLS_PER_HOST, per_endpoint=CALLS_PER_ENDPOINT, patience=PLACE_PATIENCE_SECONDS)


def attempt(delivery: Delivery, *, allow_private: bool) -> Outcome | None:
    """None: every place at the host or the endpoint is taken, and nothing was tried."""
    try:
        url = parse_url(delivery.url, allow_private=allow_private)
    except InvalidInput as error:  # was allowed once: the operator's setting has changed
        return again(delivery.tries, error.detail, random.random())
    with _limits().entered(url.host, str(delivery.endpoint)) as free:
        if not free:
            return None
        started = time.monotonic()
        outcome = _exchange(delivery, url, allow_private=allow_private)
        return replace(outcome, duration_ms=round((time.monotonic() - started) * 1000))


def _exchange(delivery: Delivery, url: httpx2.URL, *, allow_private: bool) -> Outcome:
    try:
        reply = send(delivery, resolve(url, allow_private=allow_private))
    except AicoError as error:
        return again(delivery.tries, error.detail, random.random())
    except TimeoutError:
        return again(delivery.tries, f"no answer within {TIMEOUT_SECONDS:.0f} s", random.random())
    except httpx2.HTTPError as error:
        return again(delivery.tries, f"the connection failed: {type(error).__name__}", random.random())
    return judge(reply, delivery.tries, random.random())


@app.task(name=TaskName.NOTIFY.value)
def notify(tenant_id: str, delivery_id: str) -> None:
    """Makes one attempt if the delivery is due. Does nothing when it is not: a bell may ring twice."""
    runtime, tenant = get_runtime(), UUID(tenant_id)
    claim = webhooks.claim(tenant, UUID(delivery_id), LEASE_SECONDS)
    for delivery in patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), claim)):
        _deliver(runtime, tenant, delivery)


def _deliver(runtime: Runtime, tenant: UUID, delivery: Delivery) -> None:
    outcome = attempt(delivery, allow_private=runtime.settings.webhook_allow_private)
    scope = Scope.tenant(tenant)
    if outcome is None:
        statement = webhooks.postpone(tenant, delivery, NO_PLACE_PAUSE_SECONDS)
        patiently(lambda: runtime.database.run(scope, statement))
        return
    log.info(
        "webhook_attempted",
        attempt=delivery.attempts,
        status=outcome.status.value,
        error=outcome.error,
    )
    work = [(scope, webhooks.settle(tenant, delivery, outcome))]
    if outcome.hopeless:
        work.append((scope, webhooks.disable(tenant, delivery, outcome.error)))
    _, *told = patiently(lambda: runtime.database.run_each(work))
    runtime.tell(bells=[to_notify(tenant, notice) for notices in told for notice in notices])


def warm_up() -> None:
    """Read the certificates that TLS trusts, before the first message."""
    _tls()


def wind_down() -> None:
    """Nothing to do when the worker stops: the lease of an attempt that is cut off runs out, and it is made again."""
