"""What the operator's page of the dashboard shows: all that runs, and where to look further."""

import asyncio
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from aico import __version__
from aico.api import operations
from aico.api.operations import Health
from aico.api.operators import Operator
from aico.api.problems import documented
from aico.api.routers.health import seen
from aico.api.services import Held

router = APIRouter(prefix="/v1/operator", tags=["health"], dependencies=[Operator])


class OperatorOverview(Health):
    """The installation, of all tenants together."""

    version: Annotated[str, Field(description="Of the API process that answers; workers tell their own.")]
    dead_letters: Annotated[
        int | None, Field(description="That nobody has replayed, up to 10,000; null while Postgres is away.")
    ]
    flower_url: Annotated[
        str | None, Field(description="Where Flower is, which asks for a password of its own; null: nobody has said.")
    ]
    traces: Annotated[bool, Field(description="Whether spans are sent to a collector.")]


@router.get("/overview", responses=documented(401, 403, 503))
async def operator_overview(held: Held) -> OperatorOverview:
    """Queues, workers with their versions, dead letters, and Flower's address. For the operator alone."""
    health, dead = await asyncio.gather(seen(held), operations.dead_letters(held))
    return OperatorOverview(
        **health.model_dump(),
        version=__version__,
        dead_letters=dead,
        flower_url=held.settings.flower_url,
        traces=held.settings.otel_exporter_otlp_endpoint is not None,
    )
