"""How providers, keys and models are, as all workers know together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import redis.asyncio
from redis.exceptions import RedisError

from aico.routing.breaker import Scope
from aico.workers.breaker_scripts import key_of

_FIELDS = ("until", "run", "good_at", "bad_at", "said")


class Health(StrEnum):
    UNTRIED = "untried"  # within the last day
    HEALTHY = "healthy"
    DEGRADED = "degraded"  # the last call failed, or a part of it is open
    OPEN = "open"  # it is not called before `retry_at`, and then by one call that finds out


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one scope, or of several together."""

    health: Health = Health.UNTRIED
    retry_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None  # its sort


async def standings(broker: redis.asyncio.Redis, scopes: Sequence[Scope]) -> Mapping[Scope, Standing] | None:
    """In one trip. None: Redis is away, and nobody knows."""
    try:
        async with broker.pipeline(transaction=False) as pipe:
            pipe.time()
            for scope in scopes:
                pipe.hmget(key_of(scope), _FIELDS)
            clock, *found = await pipe.execute()
    except RedisError:
        return None
    now = clock[0] + clock[1] / 1e6
    return {scope: standing_of(fields, now) for scope, fields in zip(scopes, found, strict=True)}


def standing_of(fields: Sequence[str | None], now: float) -> Standing:
    """From a hash as the breakers' script keeps it; `now` is Unix time on the same clock."""
    ends, run, good_at, bad_at, said = fields
    if ends is not None and float(ends) > 0:
        health = Health.OPEN
    elif run is not None and int(run) > 0:
        health = Health.DEGRADED
    else:
        health = Health.UNTRIED if good_at is None else Health.HEALTHY
    retry_at = _moment(str(max(float(ends), now))) if ends is not None and health is Health.OPEN else None
    return Standing(health, retry_at, _moment(good_at), _moment(bad_at), said or None)


def together(whole: Standing, parts: Sequence[Collection[Standing]]) -> Standing:
    """Of a provider with its keys and models: open where it is itself, or where all of a sort are."""
    everything = [whole, *(standing for part in parts for standing in part)]
    closed = [part for part in parts if part and all(one.health is Health.OPEN for one in part)]
    if whole.health is Health.OPEN or closed:
        health = Health.OPEN
    elif any(one.health in {Health.OPEN, Health.DEGRADED} for one in everything):
        health = Health.DEGRADED
    else:
        health = max((one.health for one in everything), key=lambda one: one is Health.HEALTHY)
    waits = [min(one.retry_at for one in part if one.retry_at is not None) for part in closed]
    if whole.retry_at is not None:
        waits.append(whole.retry_at)
    failed = max((one for one in everything if one.last_error_at), key=_failed_at, default=None)
    return Standing(
        health,
        max(waits, default=None),
        max((one.last_success_at for one in everything if one.last_success_at), default=None),
        failed.last_error_at if failed is not None else None,
        failed.last_error if failed is not None else None,
    )


def _failed_at(standing: Standing) -> datetime:
    return standing.last_error_at or datetime.min.replace(tzinfo=UTC)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromtimestamp(float(text), UTC)
