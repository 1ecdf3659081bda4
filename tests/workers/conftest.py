from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.workers.runtime import Runtime


@pytest.fixture
def runtime(settings: Settings, database: Database) -> Iterator[Runtime]:
    """A worker's runtime on an empty Redis."""
    client = redis.Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True)
    client.flushdb()
    yield Runtime(settings, database, client)
    client.close()


@pytest.fixture
def deaf_runtime(settings: Settings, database: Database) -> Iterator[Runtime]:
    """A worker's runtime whose Redis is gone."""
    client = redis.Redis(port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))
    yield Runtime(settings, database, client)
    client.close()
