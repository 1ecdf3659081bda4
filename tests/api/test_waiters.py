"""Waiting, seen from inside: the channel alone wakes, and only those who wait for that job."""

import asyncio
from uuid import UUID

import redis.asyncio
from conftest import Postgres

from aico.api.subscription import Subscription
from aico.api.waiters import Waiters
from aico.core.ids import new_id
from aico.store.aio import AsyncDatabase
from aico.workers.queue import DONE_CHANNEL

SECONDS = 10


def test_an_announcement_wakes_those_who_wait_for_that_job(postgres: Postgres, own_redis_url: str) -> None:
    """The database is never opened, so that the poll cannot help."""
    tenant, ended_job, other_job = new_id(), new_id(), new_id()

    async def scenario() -> None:
        async with redis.asyncio.Redis.from_url(own_redis_url, decode_responses=True) as broker:
            before = await _subscribed(broker)
            waiters = Waiters(AsyncDatabase(postgres.url))
            subscription = Subscription(broker, {DONE_CHANNEL: waiters.hear})
            subscription.start()
            try:
                async with asyncio.timeout(SECONDS):
                    while await _subscribed(broker) == before:  # noqa: ASYNC110 - Redis announces no subscriptions
                        await asyncio.sleep(0.01)
                    with (
                        waiters.expecting(tenant, ended_job) as first,
                        waiters.expecting(tenant, ended_job) as second,
                        waiters.expecting(tenant, other_job) as other,
                    ):
                        await broker.publish(DONE_CHANNEL, f"{UUID(int=0)},{ended_job}")
                        await first.wait()
                        await second.wait()
                        assert not other.is_set()
            finally:
                await subscription.stop()
            assert not waiters._waiting  # nobody waits, nothing is kept

    asyncio.run(scenario())


async def _subscribed(broker: redis.asyncio.Redis) -> int:
    return int(dict(await broker.pubsub_numsub(DONE_CHANNEL))[DONE_CHANNEL])
