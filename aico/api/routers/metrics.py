"""Metrics for Prometheus. They are the operator's, so no tenant's credential opens them."""

import asyncio
import secrets
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from aico.api import operations
from aico.api.metrics import exposition
from aico.api.problems import documented
from aico.api.services import Held
from aico.core.errors import NotFound, Unauthorized
from aico.core.settings import Settings

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse, responses=documented(401, 404))
async def metrics(held: Held, request: Request) -> Response:
    """Queues, workers, attempts and money in the text format of Prometheus, of all tenants together."""
    check_access(held.settings, request.headers.get("authorization"))
    figures, workers = await asyncio.gather(operations.figures(held), operations.workers(held))
    times = request.app.state.request_times
    return Response(exposition(figures, workers, times), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def check_access(settings: Settings, authorization: str | None) -> None:
    """Raises Unauthorized without the token, where one is set, and NotFound without one on an open address."""
    if settings.metrics_token is None:
        if not is_loopback(settings.host):
            raise NotFound("metrics are off: this server can be reached from elsewhere, and METRICS_TOKEN is not set")
        return
    scheme, _, token = (authorization or "").partition(" ")
    expected = settings.metrics_token.get_secret_value()
    if scheme.lower() != "bearer" or not secrets.compare_digest(token.strip().encode(), expected.encode()):
        raise Unauthorized("metrics need `Authorization: Bearer` and the value of METRICS_TOKEN")


def is_loopback(host: str) -> bool:
    """Of an address to listen at, whether only this machine can reach it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
