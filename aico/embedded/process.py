"""How one process is started: as which user, and so that it does not outlive its parent."""

import ctypes
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from aico.core.errors import Unavailable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CAPABILITY = "+dac_read_search"


class StartFailed(Unavailable):
    code = "start_failed"
    title = "A part of the product did not start"


@dataclass(frozen=True)
class Identity:
    """Whom a process runs as. `reads_anywhere` lets it pass folders closed to this user, such as root's home."""

    uid: int
    gid: int
    reads_anywhere: bool = False


@dataclass(frozen=True)
class Command:
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None  # None: the parent's
    cwd: Path | None = None  # None: the parent's
    identity: Identity | None = None  # None: the parent's


def spawn(command: Command, *, output: IO[bytes] | int, death_signal: signal.Signals) -> subprocess.Popen[bytes]:
    """Start `command` as the leader of a process group of its own, stdout and stderr to `output`, no stdin.

    On Linux the kernel sends it `death_signal` when the thread that called this ends, however it ends: call from a
    thread that lives as long as the parent. Raises StartFailed, or OSError where the program cannot be executed.
    """
    tool = _setpriv()
    common: dict[str, Any] = {
        "env": command.env,
        "cwd": command.cwd,
        "stdin": subprocess.DEVNULL,
        "stdout": output,
        "stderr": subprocess.STDOUT,
        "process_group": 0,
    }
    if tool:
        argv = [tool, *_setpriv_options(command.identity, death_signal), "--", *command.argv]
        return subprocess.Popen(argv, **common)  # noqa: S603  our own programs, no shell
    # Without util-linux a hook between fork and exec does it: one system call of a library loaded before.
    common |= {"preexec_fn": _death_signal_hook(death_signal), **_popen_identity(command.identity)}
    return subprocess.Popen(command.argv, **common)  # noqa: S603  as above


def run_to_end(command: Command, *, timeout: float) -> str:
    """Run `command` and return what it printed. Raises StartFailed where it fails or takes over `timeout` seconds."""
    with spawn(command, output=subprocess.PIPE, death_signal=signal.SIGKILL) as process:
        try:
            printed, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise StartFailed(f"{command.argv[0]} did not finish within {timeout:g} s") from error
    text = printed.decode(errors="replace")
    if process.returncode != 0:
        raise StartFailed(f"{command.argv[0]} failed with status {process.returncode}:\n{text.strip()}")
    return text


@cache
def _setpriv() -> str | None:
    path = shutil.which("setpriv")
    if path is None:
        return None
    options = subprocess.run([path, "--help"], capture_output=True, text=True, check=False).stdout  # noqa: S603  fixed arguments
    return path if "--pdeathsig" in options and "--ambient-caps" in options else None  # others have less


def _setpriv_options(identity: Identity | None, death_signal: signal.Signals) -> list[str]:
    options = ["--pdeathsig", death_signal.name.removeprefix("SIG")]
    if identity:
        options += [f"--reuid={identity.uid}", f"--regid={identity.gid}", "--clear-groups"]
        if identity.reads_anywhere:
            # access(2), by which Postgres checks its own programs, ignores capabilities unless this bit is set.
            options += ["--securebits=+no_setuid_fixup"]
            options += [f"--inh-caps={_CAPABILITY}", f"--ambient-caps={_CAPABILITY}"]
    return options


def _popen_identity(identity: Identity | None) -> dict[str, Any]:
    if identity is None:
        return {}
    if identity.reads_anywhere:
        raise StartFailed("passing closed folders as another user needs setpriv from util-linux")
    return {"user": identity.uid, "group": identity.gid, "extra_groups": []}


def _death_signal_hook(death_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    number = int(death_signal)
    return lambda: prctl(_PR_SET_PDEATHSIG, number)
