"""How prompts began lately, by digest: counted in Redis for all workers."""

from collections.abc import Mapping, Sequence

import redis

from aico.routing.prompt_cache import KEPT_SECONDS

_KEY_PREFIX = "aico:begun"
_NONE: Mapping[str, int] = {}


class NoSightings:
    """Nothing is ever seen twice."""

    def count(self, digests: Sequence[str]) -> Mapping[str, int]:
        return dict.fromkeys(digests, 0)


class RedisSightings:
    """One trip a question. While Redis is away nothing counts as seen, and prompts are not marked."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def count(self, digests: Sequence[str]) -> Mapping[str, int]:
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for digest in digests:
                    pipe.incr(f"{_KEY_PREFIX}:{digest}")
                    pipe.expire(f"{_KEY_PREFIX}:{digest}", KEPT_SECONDS)
                counts = pipe.execute()[::2]
        except redis.RedisError:
            return _NONE
        return {digest: count - 1 for digest, count in zip(digests, counts, strict=True)}
