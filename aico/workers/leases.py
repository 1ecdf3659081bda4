"""The claims that this process holds: renewed in one statement for all, and known when one was lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog

from aico.core.errors import Unavailable
from aico.store import jobs
from aico.store.jobs import Claim
from aico.store.scope import Scope
from aico.workers.runtime import Runtime

log = structlog.get_logger()


class Leases:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._held: dict[UUID, Claim] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._renew_for_ever, name="leases", daemon=True).start()

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        with self._lock:
            self._held[claim.id] = claim
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(claim.id, None)

    def lost(self, claim: Claim) -> bool:
        """Whether the claim ended under us: another worker took the job over, or it was cancelled or expired."""
        with self._lock:
            return claim.id not in self._held

    def renew(self) -> None:
        with self._lock:
            held = list(self._held.values())
        if not held:
            return
        seconds = self._runtime.settings.lease_seconds
        scope = Scope.each((claim.tenant for claim in held), durable=False)
        kept = set(self._runtime.database.run(scope, jobs.renew(held, seconds)))
        with self._lock:
            for claim in held:
                if claim.id not in kept and self._held.get(claim.id) is claim:
                    del self._held[claim.id]

    def _renew_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._runtime.settings.lease_seconds / 3):
            try:
                self.renew()
            except Unavailable:
                log.warning("renewal_missed")  # two more tries fit into a lease
