"""How much one connection, one person and everybody together may ask for. Counted by the process that serves them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_FRAME = 256 * 1024  # bytes that a client may send at once


@dataclass(frozen=True, slots=True)
class Limits:
    connections: int = 500
    channels: int = 100  # of a connection
    person_channels: int = 300  # of a person, over all connections
    bindings: int = 50  # of a channel: changes that it asks for
    person_bindings: int = 300  # of a person: all of them are asked for in one question
    joins_per_second: float = 100  # of everybody; a rest of some seconds lets them come at once
    messages_per_second: float = 100  # of a connection, likewise
    queued_frames: int = 2_000  # that a client has not read; one more and the connection is ended
    queued_bytes: int = 4_000_000  # likewise
    change_bytes: int = 1024 * 1024  # of a change that is reported; large values are left out of larger ones
    silence_seconds: float = 60  # clients give a sign of life every 25
    recheck_seconds: float = 300  # between two looks at whether a person may still hear a channel


_BURST_SECONDS = 5


@dataclass(slots=True)
class Bucket:
    """Lets `per_second` through, and after a rest what five seconds would have."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    _level: float = field(init=False)
    _seen: float = field(init=False)

    def __post_init__(self) -> None:
        self._level, self._seen = self.per_second * _BURST_SECONDS, self.clock()

    def take(self) -> bool:
        now = self.clock()
        self._level = min(self._level + (now - self._seen) * self.per_second, self.per_second * _BURST_SECONDS)
        self._seen = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
