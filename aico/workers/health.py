"""Reading the workers' signs of life."""

import redis

from aico.workers.heartbeat import Beat, pattern


def alive(client: redis.Redis, name: str) -> bool:
    """Whether a process of this kind has given a sign of life within its expiry."""
    try:
        return next(iter(client.scan_iter(match=pattern(name), count=1000)), None) is not None
    except redis.RedisError:
        return False


def slots(client: redis.Redis, name: str) -> int:
    """How many tasks all live processes of this kind can run at once. Raises RedisError while Redis is away."""
    keys = list(client.scan_iter(match=pattern(name), count=1000))
    beats = client.mget(keys) if keys else []
    return sum(Beat.model_validate_json(beat).slots for beat in beats if beat is not None)
