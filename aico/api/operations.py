"""What health and metrics look at: the queues in Postgres and the workers' signs of life in Redis."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from aico.api.services import Services
from aico.core.errors import Unavailable
from aico.store import operations
from aico.store.operations import CacheStanding, QueueStats, Total
from aico.store.scope import Scope
from aico.workers.heartbeat import Beat, name_of, pattern

Workers = dict[str, list[Beat]]  # the processes of each name


class WorkerView(BaseModel):
    name: str
    processes: int
    slots: Annotated[int, Field(description="Tasks that all its processes together can run at once.")]
    busy: Annotated[int, Field(description="Tasks that they run now.")]
    seconds_since_progress: Annotated[float, Field(description="Since a task of any of them began or ended.")]
    versions: Annotated[list[str], Field(description="Of the product, that its processes run.")] = []


class QueueView(BaseModel):
    """Jobs of a class by state, each counted up to 10,000."""

    job_class: Annotated[str, Field(serialization_alias="class")]
    waiting: Annotated[int, Field(description="Not admitted yet.")]
    admitted: Annotated[int, Field(description="Handed to the workers' queues.")]
    running: int
    held: Annotated[int, Field(description="Until a retry, or a place in a rate limit.")]
    lane: Annotated[int, Field(description="In a provider's batch.")]
    oldest_seconds: Annotated[float, Field(description="Age of the oldest that waits, is admitted or runs.")]
    longest_wait_seconds: Annotated[float, Field(description="Age of the oldest that nobody works on yet.")]


class Health(BaseModel):
    status: Literal["ok", "degraded", "down"]
    checks: dict[str, str]
    workers: list[WorkerView] = []
    queues: list[QueueView] = []


@dataclass(frozen=True, slots=True)
class Figures:
    """What Postgres knows of all tenants together."""

    queues: list[QueueStats]
    dead: int
    totals: list[Total]
    caches: list[CacheStanding] = field(default_factory=list)


async def queues(held: Services) -> list[QueueStats] | None:
    """None while Postgres is away."""
    try:
        return await held.database.run(Scope.system(), operations.queue_stats())
    except Unavailable:
        return None


async def dead_letters(held: Services) -> int | None:
    """Not replayed, up to 10,000. None while Postgres is away."""
    try:
        (dead,) = await held.database.run(Scope.system(), operations.dead_jobs())
    except Unavailable:
        return None
    return dead


async def figures(held: Services) -> Figures | None:
    """None while Postgres is away."""
    run, scope = held.database.run, Scope.system()
    try:
        stats, (dead,), totals, caches = await asyncio.gather(
            run(scope, operations.queue_stats()),
            run(scope, operations.dead_jobs()),
            run(scope, operations.totals()),
            run(scope, operations.cache_standing()),
        )
    except Unavailable:
        return None
    return Figures(stats, dead, totals, caches)


async def workers(held: Services) -> Workers | None:
    """By name. None while Redis is away."""
    try:
        keys = [key async for key in held.broker.scan_iter(match=pattern(), count=100)]
        beats = await held.broker.mget(keys) if keys else []
    except (RedisError, OSError):
        return None
    found: Workers = {}
    for key, beat in sorted(zip(keys, beats, strict=True)):
        if beat is not None:
            found.setdefault(name_of(key), []).append(Beat.model_validate_json(beat))
    return found
