"""Health: whether the dependencies answer, and whether the workers make progress; not merely whether they exist."""

import asyncio
import time
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from redis.exceptions import RedisError

from aico.api.schemas import Health, QueueView, WorkerView
from aico.api.services import Held, Services
from aico.core.errors import Unavailable
from aico.store import backlog
from aico.store.scope import Scope

STALLED_SECONDS = 30  # a class whose oldest job has waited this long while nobody works on it
NEEDED = ("embed", "route", "record", "notify", "sweep")
KEY_PATTERN = "aico:worker:*"

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health", responses={503: {"model": Health}})
async def health(held: Held, response: Response) -> Health:
    """`ok`; `degraded` while jobs are accepted but may wait; `down`, with 503, while none can be accepted."""
    (queues, postgres), (workers, redis) = await asyncio.gather(_postgres(held), _redis(held))
    names = {worker.name for worker in workers}
    checks = {"postgres": postgres, "redis": redis}
    if redis == "ok":
        checks |= {f"worker {name}": "ok" if name in names else "missing" for name in NEEDED}
        checks["progress"] = _progress(queues, workers)
    status: Literal["ok", "degraded", "down"] = "ok"
    if postgres != "ok":
        status = "down"
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    elif any(state != "ok" for state in checks.values()):
        status = "degraded"
    return Health(status=status, checks=checks, workers=workers, queues=queues)


async def _postgres(held: Services) -> tuple[list[QueueView], str]:
    try:
        ages = await held.database.run(Scope.system(), backlog.queue_ages())
    except Unavailable:
        return [], "unreachable"
    return [
        QueueView(job_class=age.job_class, waiting=age.waiting, oldest_seconds=age.oldest_seconds) for age in ages
    ], "ok"


async def _redis(held: Services) -> tuple[list[WorkerView], str]:
    try:
        keys = [key async for key in held.broker.scan_iter(match=KEY_PATTERN, count=100)]
        beats = await held.broker.mget(keys) if keys else []
    except (RedisError, OSError):
        return [], "unreachable"
    progress: dict[str, list[float]] = {}
    for key, beat in zip(keys, beats, strict=True):
        if beat is not None:
            progress.setdefault(key.split(":")[2], []).append(float(beat))
    now = time.time()
    return [
        WorkerView(name=name, processes=len(times), seconds_since_progress=max(0.0, now - max(times)))
        for name, times in sorted(progress.items())
    ], "ok"


def _progress(queues: list[QueueView], workers: list[WorkerView]) -> str:
    """Jobs wait although every worker that could take them has been idle."""
    waiting = max((queue.oldest_seconds for queue in queues), default=0.0)
    idle = min((worker.seconds_since_progress for worker in workers if worker.name in {"embed", "route"}), default=0.0)
    return "stalled" if waiting > STALLED_SECONDS and idle > STALLED_SECONDS else "ok"
