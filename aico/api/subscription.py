"""The process' one subscription to Redis: whoever wants to hear of a channel shares its connection.

Pub/sub forgets whoever is not listening, so nothing here is more than a hint.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import redis.asyncio
import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

log = structlog.get_logger()

RECONNECT_SECONDS = 0.5
CONFIRM_SECONDS = 1.0  # for Redis to say that a channel is listened to

Listener = Callable[[str], None]


class Subscription:
    def __init__(self, broker: redis.asyncio.Redis, permanent: dict[str, Listener]) -> None:
        self._broker = broker
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        for channel, listener in permanent.items():
            self._listeners[channel].append(listener)
        self._confirmed: dict[str, asyncio.Event] = {}
        self._pubsub: PubSub | None = None  # while it is connected
        self._heard: dict[str, object] = {}  # channels that Redis has confirmed, with the connection on which
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hearing(self, channel: str) -> object | None:
        """The connection on which all is heard that is published there; None while something could be missed."""
        return self._heard.get(channel)

    @asynccontextmanager
    async def listening(self, channel: str, listener: Listener) -> AsyncIterator[None]:
        """What is published from now on reaches `listener`, as long as Redis can be reached."""
        first = channel not in self._listeners
        self._listeners[channel].append(listener)
        if first:
            self._confirmed[channel] = asyncio.Event()
            await self._ask(channel)
        try:
            await self._confirmation(channel)
            yield
        finally:
            self._listeners[channel].remove(listener)
            if not self._listeners[channel]:
                del self._listeners[channel], self._confirmed[channel]
                await self._forget(channel)

    async def _confirmation(self, channel: str) -> None:
        """Waits a moment for Redis to confirm; while it is away nobody has to wait for it."""
        if self._pubsub is None:
            return
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._confirmed[channel].wait()
        except TimeoutError:
            log.warning("subscription_late", channel=channel)

    async def _ask(self, channel: str) -> None:
        try:
            if self._pubsub is not None:
                await self._pubsub.subscribe(channel)
        except (RedisError, OSError) as error:  # the loop reconnects, and asks for every channel then
            log.warning("subscription_late", channel=channel, error=type(error).__name__)

    async def _forget(self, channel: str) -> None:
        try:
            if self._pubsub is not None:
                await self._pubsub.unsubscribe(channel)
        except (RedisError, OSError) as error:
            log.warning("subscription_kept", channel=channel, error=type(error).__name__)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._broker.pubsub() as pubsub:
                    await pubsub.subscribe(*self._listeners)
                    self._pubsub = pubsub
                    while True:
                        message = await pubsub.get_message(timeout=None)
                        if message is not None:
                            self._deliver(message["type"], message["channel"], message["data"])
            except (RedisError, OSError, ValueError) as error:  # ValueError: somebody else's message
                log.warning("subscription_lost", error=type(error).__name__)
                self._pubsub = None
                self._heard.clear()
                await asyncio.sleep(RECONNECT_SECONDS)

    def _deliver(self, kind: str, channel: str, data: str) -> None:
        if kind == "subscribe":
            self._heard[channel] = object()
            if channel in self._confirmed:
                self._confirmed[channel].set()
        elif kind == "unsubscribe":
            self._heard.pop(channel, None)
        elif kind == "message":
            for listener in list(self._listeners.get(channel, ())):
                listener(data)
