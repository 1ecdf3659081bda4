"""What workers know together in Redis, and each by itself while Redis is away."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis

T = TypeVar("T")

ASK_AGAIN_SECONDS = 2.0  # while Redis is away, calls do not each wait for it to time out


class Sharing:
    """Thread-safe. `lost` is called with an error as Redis goes away, `found` as it is back."""

    def __init__(self, lost: Callable[[redis.RedisError], None], found: Callable[[], None]) -> None:
        self._tell_lost = lost
        self._tell_found = found
        self._lock = threading.Lock()
        self._away_until: float | None = None  # monotonic seconds; None: Redis answered last time

    def either(self, shared: Callable[[], T], alone: Callable[[], T]) -> T:
        """What Redis says, or what this process does without it."""
        if self._away_until is not None and time.monotonic() < self._away_until:
            return alone()
        try:
            answer = shared()
        except redis.RedisError as error:
            self._lost(error)
            return alone()
        self._found()
        return answer

    def _lost(self, error: redis.RedisError) -> None:
        with self._lock:
            first = self._away_until is None
            self._away_until = time.monotonic() + ASK_AGAIN_SECONDS
        if first:
            self._tell_lost(error)

    def _found(self) -> None:
        with self._lock:
            again = self._away_until is not None
            self._away_until = None
        if again:
            self._tell_found()
