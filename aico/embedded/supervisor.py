"""Starts processes in stages, restarts what dies, stops everything in reverse order."""

import fcntl
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aico.embedded.child import Child, Event, ProcessSpec, State, Status
from aico.embedded.process import StartFailed

_TICK = 0.1  # seconds between looks at the children


@dataclass(frozen=True)
class Stage:
    """Processes that start together. `then` runs once when all are ready, before the next stage: a migration, say."""

    specs: tuple[ProcessSpec, ...]
    then: Callable[[], None] | None = None


class Supervisor:
    """Owns the processes of all stages between the start and the end of `run`.

    `run` blocks in the calling thread and starts every child from it: it must be a thread that lives as long as the
    process, best the main one, because on Linux the children are killed when it ends.
    The log of `name` is `log_dir/name.log`; the one of the run before is `log_dir/name.log.1`.
    """

    def __init__(
        self, log_dir: Path, stages: Sequence[Stage], on_event: Callable[[Event], None] = lambda _event: None
    ) -> None:
        names = [spec.name for stage in stages for spec in stage.specs]
        if len(set(names)) != len(names):
            raise ValueError(f"two processes have the same name: {names}")
        self._log_dir = log_dir
        self._stages = [
            (stage, [Child(spec, log_dir / f"{spec.name}.log", on_event) for spec in stage.specs]) for stage in stages
        ]
        self._stopping = False
        # Not a threading.Event: a signal handler may run while the main thread holds an Event's lock.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    def request_stop(self) -> None:
        """May be called from any thread and from a signal handler; `run` then stops everything and returns."""
        self._stopping = True
        self._wake.put(None)

    def status(self) -> list[Status]:
        return [child.status() for child in self._children()]

    def run(self) -> None:
        """Raises StartFailed, after stopping what runs, where a process does not become ready at the start."""
        self._log_dir.mkdir(parents=True, exist_ok=True)
        with _only_one(self._log_dir):
            try:
                for stage, children in self._stages:
                    self._start(stage, children)
                while not self._stop_requested():
                    self._tick()
            finally:
                self._stop_all()

    def _stop_requested(self) -> bool:
        return self._stopping

    def _children(self) -> Iterator[Child]:
        return (child for _, children in self._stages for child in children)

    def _start(self, stage: Stage, children: list[Child]) -> None:
        if self._stop_requested():
            return
        for child in children:
            child.start()
        while not self._stop_requested() and any(child.state is not State.READY for child in children):
            for child in children:
                _check_start(child)
            self._tick()
        if stage.then and not self._stop_requested():
            stage.then()

    def _tick(self) -> None:
        for child in self._children():
            child.tick()
        try:
            self._wake.get(timeout=_TICK)
        except queue.Empty:
            return

    def _stop_all(self) -> None:
        for _, children in reversed(self._stages):
            now = time.monotonic()
            for child in reversed(children):
                child.send_stop()
            for child in reversed(children):
                child.wait_stopped(now + child.spec.stop_timeout)


def _check_start(child: Child) -> None:
    if child.state is State.WAITING and child.failures >= child.spec.start_attempts:
        raise StartFailed(f"{child.spec.name} did not start; its last words:\n{child.last_lines()}")


@contextmanager
def _only_one(log_dir: Path) -> Iterator[None]:
    """Two supervisors of one state directory would give two servers the same data files."""
    with (log_dir / "supervisor.lock").open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartFailed(f"already running: another supervisor uses {log_dir}") from error
        yield
