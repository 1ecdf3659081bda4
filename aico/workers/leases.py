"""The claims that this process holds: renewed in one statement for all, and known when one was lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from aico.store import jobs
from aico.store.jobs import Claim, ClaimKey
from aico.store.scope import Scope
from aico.workers.runtime import Runtime

log = structlog.get_logger()


class Leases:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._held: dict[ClaimKey, Claim] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._renew_for_ever, name="leases", daemon=True).start()

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        with self._lock:
            self._held[_key(claim)] = claim
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(_key(claim), None)

    def lost(self, claim: Claim) -> bool:
        """Whether the claim ended under us: the job was claimed again, or it was cancelled or expired."""
        with self._lock:
            return _key(claim) not in self._held

    def renew(self) -> None:
        with self._lock:
            held = list(self._held.values())
        if not held:
            return
        seconds = self._runtime.settings.lease_seconds
        scope = Scope.each((claim.tenant for claim in held), durable=False)
        kept = set(self._runtime.database.run(scope, jobs.renew(held, seconds)))
        with self._lock:
            for key in {_key(claim) for claim in held} - kept:
                self._held.pop(key, None)

    def _renew_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._runtime.settings.lease_seconds / 3):
            try:
                self.renew()
            except Exception:
                # Whatever it was, without this thread every claim would be lost; two more tries fit into a lease.
                log.exception("renewal_missed")


def _key(claim: Claim) -> ClaimKey:
    return claim.id, claim.fence
