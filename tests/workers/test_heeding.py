"""What a provider says of its limits, heeded by all workers where none is configured."""

from collections.abc import Iterator
from contextlib import closing
from uuid import UUID

import pytest
import redis

from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.workers.pacing import RedisPacer

CATALOGUE = Catalogue.from_settings(Settings.model_construct())
NANO, LARGE = (
    next(model for model in CATALOGUE.all_models if model.id == name) for name in ("gpt-5.4-nano", "gpt-5.4")
)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url, decode_responses=True)) as opened:
        opened.flushall()
        yield opened


def test_a_refusal_holds_for_all_workers_where_no_limit_is_known_and_for_that_model_and_key(
    client: redis.Redis,
) -> None:
    first, second = (RedisPacer(client, [], heeds_all=True) for _ in range(2))
    assert first.reserve(NANO, 9, patience=0) == 0
    first.back_off(NANO, 20)
    assert second.reserve(NANO, 9, patience=19) is None
    assert second.reserve(LARGE, 9, patience=0) == 0
    assert second.reserve(NANO, 9, patience=0, account=UUID(int=1)) == 0
    first.back_off(LARGE, 1e9)
    assert second.wait(LARGE, 9) <= 300  # a mad header does not close a model for good
    assert RedisPacer(client, []).reserve(NANO, 9, patience=0) == 0
