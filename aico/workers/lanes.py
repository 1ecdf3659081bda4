"""A bound on what one host may occupy of a pool of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Lanes:
    """At most `size` calls at once to each host, so that a slow one leaves threads to the others.

    A lane that is taken is waited for, up to `patience` seconds: a quick host frees one soon. Once that was in vain
    nobody waits for that host again until a lane was found free.
    """

    def __init__(self, size: int, *, patience: float) -> None:
        self._size = size
        self._patience = patience
        self._lock = threading.Lock()
        self._lanes: dict[str, threading.Semaphore] = {}
        self._stuck: set[str] = set()

    @contextmanager
    def entered(self, host: str) -> Iterator[bool]:
        """Whether a lane was free; it is then held until the block ends."""
        with self._lock:
            lanes = self._lanes.setdefault(host, threading.Semaphore(self._size))
            patience = 0.0 if host in self._stuck else self._patience
        free = lanes.acquire(timeout=patience)
        with self._lock:
            (self._stuck.discard if free else self._stuck.add)(host)
        try:
            yield free
        finally:
            if free:
                lanes.release()
