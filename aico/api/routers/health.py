"""Health: whether the dependencies answer, and whether the workers make progress; not merely whether they exist."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response

from aico.api import operations
from aico.api.operations import Health, QueueView, Workers, WorkerView
from aico.api.services import Held, Services
from aico.store.operations import QueueStats
from aico.workers.heartbeat import Beat

STALLED_SECONDS = 30  # a class whose oldest job has waited this long while nobody works on it
NEEDED = ("embed", "route", "lane", "batch", "record", "notify", "sweep", "admit")

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health", responses={503: {"model": Health}})
async def health(held: Held, response: Response) -> Health:
    """`ok`; `degraded` while jobs are accepted but may wait; `down`, with 503, while none can be accepted."""
    found = await seen(held)
    if found.status == "down":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return found


async def seen(held: Services) -> Health:
    queues, workers = await asyncio.gather(operations.queues(held), operations.workers(held))
    now = time.time()
    checks = {
        name: "unreachable" if part is None else "ok" for name, part in (("postgres", queues), ("redis", workers))
    }
    if workers is not None:
        checks |= {f"worker {name}": "ok" if name in workers else "missing" for name in NEEDED}
        checks["progress"] = "stalled" if is_stalled(queues or (), workers, now) else "ok"
    status: Literal["ok", "degraded", "down"] = "ok"
    if queues is None:
        status = "down"
    elif any(state != "ok" for state in checks.values()):
        status = "degraded"
    return Health(
        status=status,
        checks=checks,
        workers=[_worker_view(name, beats, now) for name, beats in (workers or {}).items()],
        queues=[QueueView(**asdict(stats)) for stats in queues or ()],
    )


def is_stalled(queues: Sequence[QueueStats], workers: Workers, now: float) -> bool:
    """Jobs wait although route workers have room and nobody on the way to an answer has made progress."""
    routers = workers.get("route", [])
    has_room = any(beat.busy < beat.slots for beat in routers)
    last = max((beat.progress for beat in [*routers, *workers.get("embed", [])]), default=now)
    waits = max((stats.longest_wait_seconds for stats in queues), default=0.0)
    return has_room and waits > STALLED_SECONDS and now - last > STALLED_SECONDS


def _worker_view(name: str, beats: Sequence[Beat], now: float) -> WorkerView:
    return WorkerView(
        name=name,
        processes=len(beats),
        slots=sum(beat.slots for beat in beats),
        busy=sum(beat.busy for beat in beats),
        seconds_since_progress=max(0.0, now - max(beat.progress for beat in beats)),
        versions=sorted({beat.version for beat in beats if beat.version is not None}),
    )
