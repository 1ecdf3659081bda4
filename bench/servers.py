"""Processes under measurement: started, kept to their cores, their CPU time read, and stopped whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from aico.embedded.ports import LOOPBACK, free_port
from aico.embedded.process import Command, StartFailed, spawn

ROOT = Path(__file__).parent.parent
_START_SECONDS = 300
_STOP_SECONDS = 60

Groups = Mapping[str, Sequence[psutil.Process]]  # a process counts with its descendants


@dataclass(frozen=True, slots=True)
class Cores:
    """`api` is for the server measured alone, `rest` for everything else: load, Postgres, Redis and workers."""

    api: int
    rest: frozenset[int]


def split_cores() -> Cores | None:
    """None where processes cannot be kept to cores, or there is only one."""
    if sys.platform != "linux":
        return None
    *rest, api = sorted(os.sched_getaffinity(0))
    return Cores(api, frozenset(rest)) if rest else None


def pin(pid: int, cores: frozenset[int]) -> None:
    """Keep all threads that the process has, and those that they will start, to `cores`."""
    if sys.platform == "linux":
        for thread in psutil.Process(pid).threads():
            os.sched_setaffinity(thread.id, cores)


@contextmanager
def running(
    command: Command, log: Path, ready: Callable[[], bool], *, death_signal: signal.Signals = signal.SIGKILL
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, once `ready`; at the end it gets SIGTERM. Raises StartFailed with its last words."""
    with log.open("wb") as output:
        process = spawn(command, output=output, death_signal=death_signal)
    try:
        _await(process, log, ready)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_module(module: str, log_dir: Path, cores: frozenset[int] | None = None) -> Iterator[tuple[int, int]]:
    """One of this package's servers on a free port: yields the port and the process id."""
    port = free_port(0)
    command = Command((sys.executable, "-m", module, str(port)), cwd=ROOT)
    with running(command, log_dir / f"{module}.log", lambda: accepts(port)) as process:
        if cores:
            pin(process.pid, cores)
        yield port, process.pid


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def cpu_seconds(groups: Groups) -> dict[str, float]:
    """User and system time of each group, with that of children that have ended and been waited for."""
    return {name: sum(map(_tree_seconds, processes)) for name, processes in groups.items()}


def _tree_seconds(root: psutil.Process) -> float:
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # ended since it was listed: its parent's figures have it
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _await(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > give_up:
            raise StartFailed(f"{log.stem} did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)
