"""What one worker process holds: its database, its Redis, and its sign of life."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self, TypeVar
from uuid import UUID

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from aico.core.errors import Unavailable
from aico.core.settings import Settings, get_settings
from aico.store.blocking import Database
from aico.workers.heartbeat import Activity, own_key
from aico.workers.queue import CANCELLED_CHANNEL, DONE_CHANNEL, Bell, pushes

log = structlog.get_logger()
T = TypeVar("T")

PATIENCE_SECONDS = 60.0  # how long a paid answer is carried through a database outage


@dataclass(frozen=True, slots=True)
class Runtime:
    settings: Settings
    database: Database
    redis: redis.Redis

    def tell(self, *, bells: Iterable[Bell] = (), ended: Sequence[UUID] = (), cancelled: Sequence[UUID] = ()) -> None:
        """Ring bells, wake who waits for ended jobs, stop who works on cancelled ones, in one trip.

        When Redis is away both are dropped: the sweeper rings again, and waiting API processes poll.
        """
        messages = pushes(bells)
        if not messages and not ended and not cancelled:
            return
        try:
            with self.redis.pipeline(transaction=False) as pipe:
                for queue, payloads in messages.items():
                    pipe.lpush(queue, *payloads)
                for channel, jobs in ((CANCELLED_CHANNEL, cancelled), (DONE_CHANNEL, ended)):
                    if jobs:
                        pipe.publish(channel, ",".join(map(str, jobs)))
                pipe.execute()
        except redis.RedisError as error:
            log.warning("redis_unreachable", error=type(error).__name__)


@cache
def get_runtime() -> Runtime:
    settings = get_settings()
    database = Database(settings.database_url, max_size=8, application=f"aico-worker-{os.getpid()}")
    database.open()
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        decode_responses=True,
        socket_timeout=5,
        socket_connect_timeout=3,
        retry=Retry(NoBackoff(), 1),  # a stale connection is replaced; an outage must not hold up answers
    )
    return Runtime(settings, database, client)


def patiently(attempt: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Repeat while the database is away, with growing pauses up to a second; raises Unavailable at the end."""
    give_up = time.monotonic() + seconds
    pause = 0.05
    while True:
        try:
            return attempt()
        except Unavailable:
            if time.monotonic() + pause > give_up:
                raise
            time.sleep(pause)
            pause = min(pause * 2, 1.0)


class Heartbeat:
    """Says every few seconds, with a short expiry, that this process lives, what it does and when it made progress."""

    INTERVAL_SECONDS = 3
    EXPIRY_SECONDS = 12

    def __init__(self, runtime: Runtime, name: str, activity: Activity | None = None) -> None:
        self._runtime = runtime
        self._key = own_key(name)
        self._activity = activity or Activity()
        self._stop = threading.Event()

    def progressed(self) -> None:
        self._activity.progressed()

    def start(self) -> None:
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Say at once that this process takes no more work."""
        self._stop.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _beat(self) -> None:
        while not self._stop.is_set():
            self._say(lambda: self._runtime.redis.set(self._key, self._word(), ex=self.EXPIRY_SECONDS))
            self._stop.wait(self.INTERVAL_SECONDS)
        self._say(lambda: self._runtime.redis.delete(self._key))

    def _word(self) -> str:
        return self._activity.beat().model_dump_json()

    def _say(self, word: Callable[[], object]) -> None:
        try:
            word()
        except redis.RedisError:
            log.warning("heartbeat_missed")
