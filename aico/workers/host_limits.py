"""A bound on what one receiver may occupy of a pool of threads."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class HostLimits:
    """At most so many calls at once to each host and each endpoint, so that a slow one leaves threads to the others.

    Endpoints of many tenants may share a host: none of them has it to itself. A place that is taken is waited for, up
    to `patience` seconds: a quick receiver frees one soon. Once that was in vain nobody waits there again until a place
    was found free.
    """

    def __init__(self, *, per_host: int, per_endpoint: int, patience: float) -> None:
        self._per_host = per_host
        self._per_endpoint = per_endpoint
        self._patience = patience
        self._changed = threading.Condition()
        self._busy: Counter[str] = Counter()
        self._stuck: set[str] = set()

    @contextmanager
    def entered(self, host: str, endpoint: str) -> Iterator[bool]:
        """Whether a place was free; it is then held until the block ends."""
        places = Counter((host, endpoint))
        with self._changed:
            patience = 0.0 if self._stuck.intersection(places) else self._patience
            free = self._changed.wait_for(lambda: not self._full(host, endpoint), patience)
            if free:
                self._busy += places
                self._stuck -= places.keys()
            else:
                self._stuck |= self._full(host, endpoint)
        try:
            yield free
        finally:
            if free:
                with self._changed:
                    self._busy -= places  # drops what has come down to zero
                    self._changed.notify_all()

    def _full(self, host: str, endpoint: str) -> set[str]:
        limits = {host: self._per_host, endpoint: self._per_endpoint}
        return {name for name, limit in limits.items() if self._busy[name] >= limit}
