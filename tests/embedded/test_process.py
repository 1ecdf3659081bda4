import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from aico.embedded import process
from aico.embedded.process import Command, Identity, StartFailed, run_to_end

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_returns_what_was_printed() -> None:
    assert run_to_end(Command(("printf", "hello"), env={"PATH": os.defpath}), timeout=10) == "hello"


def test_failure_names_program_status_and_words() -> None:
    with pytest.raises(StartFailed, match=r"sh failed with status 3:\nno luck"):
        run_to_end(Command(("sh", "-c", "echo no luck; exit 3")), timeout=10)


def test_too_slow_is_killed() -> None:
    with pytest.raises(StartFailed, match=r"did not finish within 0\.2 s"):
        run_to_end(Command(("sleep", "100")), timeout=0.2)


@as_root
@pytest.mark.parametrize("tool", [process._setpriv(), None])
def test_runs_as_another_user_without_groups(tool: str | None) -> None:
    entry = pwd.getpwnam("nobody")
    script = (
        "from aico.embedded import process as p\n"
        f"p._setpriv = lambda: {tool!r}\n"
        f"who = p.Identity({entry.pw_uid}, {entry.pw_gid})\n"
        "print(p.run_to_end(p.Command(('/bin/sh', '-c', 'id -u; id -G'), cwd='/', identity=who), timeout=10))"
    )
    # In a process of its own: the hook between fork and exec is only used in processes of one thread.
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(entry.pw_uid), str(entry.pw_gid)]


@as_root
def test_capability_needs_setpriv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_setpriv", lambda: None)
    with pytest.raises(StartFailed, match="setpriv"):
        run_to_end(Command(("true",), cwd=Path("/"), identity=Identity(1, 1, reads_anywhere=True)), timeout=10)
