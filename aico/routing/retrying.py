"""How often a candidate is asked, how long is waited in between, and by which clock."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from aico.core.settings import Settings


@dataclass(frozen=True)
class RetryPolicy:
    """Times in seconds. Before try n+1 of a candidate: uniformly random up to base * 2^(n-1), at most the cap."""

    tries: int = 3
    base: float = 0.5
    cap: float = 8.0
    attempt_timeout: float = 60.0

    @classmethod
    def from_settings(cls, settings: Settings) -> "RetryPolicy":
        return cls(base=settings.retry_base_seconds, attempt_timeout=settings.attempt_timeout_seconds)

    def backoff(self, tries_made: int, uniform: float) -> float:
        """Full jitter (Brooker, "Exponential Backoff And Jitter", 2015); `uniform` lies in 0..1."""
        return uniform * min(self.cap, self.base * 2.0 ** (tries_made - 1))


@dataclass(frozen=True)
class Timing:
    """The effects of waiting, so that tests can replace them."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[], float] = random.random
