"""What a process knows of its tasks, and says in Redis under a key of its own that expires soon after the last word."""

import os
import socket
import threading
import time

from pydantic import BaseModel, ConfigDict

from aico import __version__

HEARTBEAT_PREFIX = "aico:worker"  # keys are <prefix>:<name>:<host>:<pid>


class Beat(BaseModel):
    model_config = ConfigDict(frozen=True)

    progress: float  # Unix time at which a task last began or ended; of a loop, its last round
    slots: int = 0  # tasks that it can run at once; a loop runs none
    busy: int = 0  # tasks that it runs now
    version: str | None = None  # of the product


def own_key(name: str) -> str:
    """In containers all processes may have the same number, so the host is part of it."""
    return f"{HEARTBEAT_PREFIX}:{name}:{socket.gethostname()}:{os.getpid()}"


def pattern(name: str = "*") -> str:
    """Matches the keys of all processes of this name, or of all."""
    return f"{HEARTBEAT_PREFIX}:{name}:*"


def name_of(key: str) -> str:
    return key.removeprefix(f"{HEARTBEAT_PREFIX}:").partition(":")[0]


class Activity:
    """Tasks between their beginning and their end. Safe to share between threads."""

    def __init__(self, slots: int = 0) -> None:
        self._slots = slots
        self._changed = threading.Condition()
        self._running: set[str] = set()
        self._progress = time.time()
        self._changes = 0

    def began(self, task_id: str) -> None:
        """A micro-batch goes by the name of its task: a process works on one of each at a time."""
        with self._changed:
            self._running.add(task_id)
            self._note()

    def ended(self, task_id: str) -> None:
        with self._changed:
            self._running.discard(task_id)
            self._note()
            self._changed.notify_all()

    def progressed(self) -> None:
        """A loop went round."""
        with self._changed:
            self._note()

    def _note(self) -> None:
        self._progress = time.time()
        self._changes += 1

    @property
    def changes(self) -> int:
        """Grows with everything that begins or ends."""
        return self._changes

    def beat(self) -> Beat:
        with self._changed:
            return Beat(progress=self._progress, slots=self._slots, busy=len(self._running), version=__version__)

    def wait_idle(self, seconds: float) -> bool:
        """Whether nothing runs, now or at some moment of so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout=seconds)
