from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aico.routing.prompt_cache import KEPT_SECONDS
from aico.workers.sightings import NoSightings, RedisSightings


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url, decode_responses=True)) as opened:
        opened.flushall()
        yield opened


def test_what_one_worker_saw_another_has_seen(client: redis.Redis) -> None:
    first, second = RedisSightings(client), RedisSightings(client)
    assert first.count(["a", "b"]) == {"a": 0, "b": 0}
    assert second.count(["b", "c"]) == {"b": 1, "c": 0}
    assert first.count(["b"]) == {"b": 2}


def test_sightings_are_forgotten_when_the_provider_forgets(client: redis.Redis) -> None:
    RedisSightings(client).count(["a"])
    (key,) = client.scan_iter("aico:*")
    assert KEPT_SECONDS - 10 < int(client.ttl(key)) <= KEPT_SECONDS


def test_without_redis_nothing_was_seen() -> None:
    with closing(redis.Redis(port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))) as nowhere:
        assert RedisSightings(nowhere).count(["a"]) == {}
    assert NoSightings().count(["a"]) == {"a": 0}
