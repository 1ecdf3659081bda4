"""The feeder: lets waiting jobs through, in the order of virtual time, and held ones when they are due.

Those that wait for another job's answer it sends back to the cache when that job has ended.

It runs in the sweeper's process. Ended jobs wake it, so that a place does not stay empty; a slow tick is what makes it
correct. Two feeders do no harm: the statement lets one work at a time.
"""

import threading
import time

import redis
import structlog

from aico.core.errors import Unavailable
from aico.store import backlog, similar_flights
from aico.store.scope import Scope
from aico.workers.health import slots
from aico.workers.queue import DONE_CHANNEL, to_work
from aico.workers.runtime import Heartbeat, Runtime

log = structlog.get_logger()

TICK_SECONDS = 0.25
REST_SECONDS = 0.02  # at least, between two rounds: ends that come meanwhile share the next one
REST_FACTOR = 3.0  # and this many times what the round took, so that feeding never keeps a database busy
RESIZE_SECONDS = 5.0
BATCH = 500


class Feeder:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._resize_at = 0.0
        self._pubsub: redis.client.PubSub | None = None

    def run(self, stop: threading.Event) -> None:
        """Feed until `stop`; an outage of Postgres or Redis is waited for."""
        with Heartbeat(self._runtime, "admit") as heartbeat:
            while not stop.is_set():
                started = time.monotonic()
                waiting = False
                try:
                    waiting = self.feed()
                    heartbeat.progressed()
                except (Unavailable, redis.RedisError) as error:
                    log.warning("feed_postponed", error=type(error).__name__)
                stop.wait(max(REST_SECONDS, REST_FACTOR * (time.monotonic() - started)))
                self._pause(stop, waiting=waiting)
        self._close()

    def feed(self) -> bool:
        """Whether anybody waited for a turn. Without a backlog that is all that is asked."""
        self._resize()
        database, scope = self._runtime.database, Scope.system(durable=False)
        ready = list(database.run(scope, backlog.due(limit=BATCH)))
        database.run(scope, similar_flights.end_waiting(BATCH))  # to wait for their turn
        waited = database.run(scope, backlog.anyone_waits()) == [True]
        if waited:
            ready += database.run(scope, backlog.admit())
        self._runtime.tell(bells=[to_work(job.tenant, job.id, job.stage, job.job_class) for job in ready])
        return waited

    def _resize(self) -> None:
        """Follow the number of route workers; while none lives, what was set before holds."""
        if time.monotonic() < self._resize_at:
            return
        self._resize_at = time.monotonic() + RESIZE_SECONDS
        alive = slots(self._runtime.redis, "route")
        if alive:
            self._runtime.database.run(Scope.system(), backlog.resize_pools(alive))

    def _pause(self, stop: threading.Event, *, waiting: bool) -> None:
        """Until the next tick, or until a job ends somewhere where others wait for its place."""
        try:
            if self._pubsub is None:
                self._pubsub = self._runtime.redis.pubsub(  # type: ignore[no-untyped-call]
                    ignore_subscribe_messages=True
                )
                self._pubsub.subscribe(DONE_CHANNEL)
            if not waiting:
                stop.wait(TICK_SECONDS)
            message = self._pubsub.get_message(timeout=TICK_SECONDS if waiting else 0.0)
            while message is not None:  # all that ended meanwhile is one reason to look
                message = self._pubsub.get_message()
        except (redis.RedisError, OSError):
            self._close()
            stop.wait(TICK_SECONDS)

    def _close(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
        self._pubsub = None
