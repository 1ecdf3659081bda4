"""The claims that this process holds: renewed in one statement for all, and known when one was lost."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import redis
import structlog

from aico.core.attempts import Attempt, Call
from aico.core.errors import Unavailable
from aico.store import claims
from aico.store.claims import Claim, ClaimKey
from aico.store.scope import Scope
from aico.workers.queue import CANCELLED_CHANNEL
from aico.workers.runtime import Runtime

log = structlog.get_logger()

_RECONNECT_SECONDS = 1.0
_HEAR_SECONDS = 0.2  # at a stop it is waited for
_LOOK_SECONDS = 0.05
_NOTE_SECONDS = 0.1  # most calls are short: what ends within this time needs no note


class Leases:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._held: dict[ClaimKey, Claim] = {}
        self._lock = threading.Lock()
        self._notes: queue.SimpleQueue[tuple[Claim, Call | Attempt] | None] = queue.SimpleQueue()
        self._letting_go = threading.Event()
        self._stopped = threading.Event()
        loops = {"leases": self._renew_for_ever, "notes": self._note, "cancelled": self._listen}
        self._threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in loops.items()]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the threads; what is held is renewed no longer."""
        self._stopped.set()
        self._notes.put(None)
        for thread in self._threads:
            thread.join()

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        with self._lock:
            self._held[claim.key] = claim
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(claim.key, None)

    def lost(self, claim: Claim) -> bool:
        """Whether the claim ended under us: the job was claimed again, or it was cancelled or expired."""
        with self._lock:
            return claim.key not in self._held

    @property
    def letting_go(self) -> bool:
        """Whether the process stops: what is still held is to be put back."""
        return self._letting_go.is_set()

    def let_go(self, patience: float) -> bool:
        """Ask every holder to put its claim back; whether all had done so after `patience` seconds."""
        self._letting_go.set()
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            with self._lock:
                if not self._held:
                    return True
            time.sleep(_LOOK_SECONDS)
        return False

    def note_call(self, claim: Claim, call: Call) -> None:
        """Say which call is about to be made. It is written beside the call, so that the call does not wait for it."""
        self._notes.put((claim, call))

    def note_failure(self, claim: Claim, attempt: Attempt) -> None:
        """Have an attempt booked now: if this process dies, nobody else knows of it."""
        self._notes.put((claim, attempt))

    def renew(self) -> None:
        with self._lock:
            held = list(self._held.values())
        if not held:
            return
        seconds = self._runtime.settings.lease_seconds
        kept = set(self._runtime.database.run(_scope(held), claims.renew(held, seconds)))
        self._drop(lambda claim: claim.key not in kept, among=held)

    def _drop(self, ended: Callable[[Claim], bool], among: list[Claim]) -> None:
        with self._lock:
            for claim in filter(ended, among):
                self._held.pop(claim.key, None)

    def _renew_for_ever(self) -> None:
        while not self._stopped.wait(self._runtime.settings.lease_seconds / 3):
            try:
                self.renew()
            except Exception:
                # Whatever it was, without this thread every claim would be lost; two more tries fit into a lease.
                log.exception("renewal_missed")

    def _note(self) -> None:
        """One statement for all that was said in a while, but for what has ended and is stored already."""
        while not self._stopped.is_set() and (first := self._notes.get()) is not None:
            self._stopped.wait(_NOTE_SECONDS)
            said = [first]
            while not self._notes.empty() and (another := self._notes.get()) is not None:
                said.append(another)
            with self._lock:
                notes = [note for note in said if note[0].key in self._held]
            if not notes:
                continue
            calls = [(claim, what) for claim, what in notes if isinstance(what, Call)]
            failed = [(claim, what) for claim, what in notes if isinstance(what, Attempt)]
            try:
                self._runtime.database.run(_scope([claim for claim, _ in notes]), claims.note(calls, failed))
            except Unavailable:
                log.warning("calls_not_noted", count=len(notes))  # a crash now would leave their cost a guess

    def _listen(self) -> None:
        """Hear of cancelled jobs at once; a message that is missed is noticed at the next renewal."""
        while not self._stopped.is_set():
            try:
                with self._runtime.redis.pubsub() as subscription:  # type: ignore[no-untyped-call]
                    subscription.subscribe(CANCELLED_CHANNEL)
                    while not self._stopped.is_set():
                        message = subscription.get_message(ignore_subscribe_messages=True, timeout=_HEAR_SECONDS)
                        if message is not None:
                            self._cancelled(str(message["data"]))
            except (redis.RedisError, ValueError) as error:  # ValueError: somebody else's message
                log.warning("subscription_lost", error=type(error).__name__)
                self._stopped.wait(_RECONNECT_SECONDS)

    def _cancelled(self, ids: str) -> None:
        jobs = {UUID(job) for job in ids.split(",")}
        with self._lock:
            held = list(self._held.values())
        self._drop(lambda claim: claim.id in jobs, among=held)


def _scope(held: list[Claim]) -> Scope:
    return Scope.each((claim.tenant for claim in held), durable=False)
