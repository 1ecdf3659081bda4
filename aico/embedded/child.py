"""One supervised process and its life: starting, ready, waiting for the next try, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from aico.embedded.process import Command, spawn

FIRST_DELAY = 0.2  # seconds
LONGEST_DELAY = 5.0  # seconds
HEALTHY_AFTER = 30.0  # seconds of life after which an earlier crash no longer counts
SETTLED_AFTER = 0.5  # seconds of life that count as ready where nothing can be asked
_TAIL_BYTES = 8192


@dataclass(frozen=True)
class ProcessSpec:
    name: str
    command: Command
    ready: Callable[[], bool] | None = None  # asked from the supervisor's thread; None: ready once it lives a moment
    ready_timeout: float = 180.0  # seconds of life: a busy machine takes long, and what ends is told at once
    start_attempts: int = 1  # deaths before its first readiness after which the whole start fails
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 10.0  # seconds from the stop signal to SIGKILL
    death_signal: signal.Signals = signal.SIGKILL  # sent by the kernel when the supervisor itself is killed


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"  # died; the next try comes after a delay
    STOPPED = "stopped"


class EventKind(StrEnum):
    STARTED = "started"
    READY = "ready"
    DIED = "died"
    RESTARTED = "restarted"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Event:
    kind: EventKind
    name: str
    pid: int | None
    detail: str = ""


@dataclass(frozen=True)
class Status:
    name: str
    pid: int | None
    restarts: int
    state: State


def restart_delay(failures: int) -> float:
    """Seconds before the next try after `failures` deaths in a row, counted from 1: doubles from 0.2 up to 5."""
    return float(min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY))


class Child:
    """Driven by `tick`, which never blocks but for the spec's own readiness check."""

    def __init__(self, spec: ProcessSpec, log_path: Path, report: Callable[[Event], None]) -> None:
        self.spec = spec
        self.state = State.STOPPED
        self.failures = 0  # deaths in a row
        self._log_path = log_path
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._started_at = 0.0
        self._retry_at = 0.0

    def status(self) -> Status:
        return Status(self.spec.name, self._pid, max(self._starts - 1, 0), self.state)

    def start(self) -> None:
        if self._starts == 0 and self._log_path.exists():
            self._log_path.replace(self._log_path.with_suffix(".log.1"))
        self._starts += 1
        self._started_at = time.monotonic()
        with self._log_path.open("ab") as log:
            try:
                self._process = spawn(self.spec.command, output=log, death_signal=self.spec.death_signal)
            except OSError as error:
                log.write(f"{error}\n".encode())
                self._process = None
                self._died(f"cannot be executed: {error}")
                return
        self.state = State.STARTING
        self._tell(EventKind.STARTED if self._starts == 1 else EventKind.RESTARTED)

    def tick(self) -> None:
        if self.state is State.WAITING:
            if time.monotonic() >= self._retry_at:
                self.start()
        elif self._process is not None:
            self._watch(self._process)

    def send_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.spec.stop_signal)

    def wait_stopped(self, deadline: float) -> None:
        """Wait until the monotonic time `deadline`, then kill. The whole process group is gone afterwards."""
        if self._process is not None:
            try:
                self._process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                self._tell(EventKind.DIED, f"killed: still there {self.spec.stop_timeout:g} s after the stop signal")
            _kill_group(self._process)
            self._tell(EventKind.STOPPED)
        self._process = None
        self.state = State.STOPPED

    def last_lines(self, count: int = 15) -> str:
        with self._log_path.open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
            text = log.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-count:])

    @property
    def _pid(self) -> int | None:
        return self._process.pid if self._process else None

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        age = time.monotonic() - self._started_at
        status = process.poll()
        if status is not None:
            _kill_group(process)
            self.failures = 0 if age >= HEALTHY_AFTER else self.failures
            self._died(describe_exit(status))
        elif self.state is State.STARTING and (self.spec.ready() if self.spec.ready else age >= SETTLED_AFTER):
            self.state = State.READY
            self._tell(EventKind.READY)
        elif self.state is State.STARTING and age >= self.spec.ready_timeout:
            _kill_group(process)
            self._died(f"not ready within {self.spec.ready_timeout:g} s")

    def _died(self, detail: str) -> None:
        self._tell(EventKind.DIED, detail)
        self._process = None
        self.failures += 1
        self.state = State.WAITING
        self._retry_at = time.monotonic() + restart_delay(self.failures)

    def _tell(self, kind: EventKind, detail: str = "") -> None:
        self._report(Event(kind, self.spec.name, self._pid, detail))


def describe_exit(status: int) -> str:
    """A Popen return code in words: negative numbers are signals."""
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nothing left in the group; macOS says so with the second
        if process.poll() is None:
            process.kill()
    process.wait()
