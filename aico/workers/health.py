"""Reading the workers' signs of life."""

import redis

from aico.workers.runtime import HEARTBEAT_PREFIX


def alive(client: redis.Redis, name: str) -> bool:
    """Whether a process of this kind has given a sign of life within its expiry."""
    try:
        return next(iter(client.scan_iter(match=f"{HEARTBEAT_PREFIX}:{name}:*", count=1000)), None) is not None
    except redis.RedisError:
        return False
