"""The whole product as a user starts it: `aico up` in a folder of its own, with the simulated model."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

import psutil
import pytest
from dotenv import dotenv_values

from aico.cli.client import Client

START_SECONDS = 180
STOP_SECONDS = 60

# How each process of the stack is recognised by its command line.
PARTS = {
    "postgres": "/postgres -D",
    "valkey": "valkey-server",
    "model": "aico.embedded.local_model",
    "auth": "aico.embedded.auth",
    "api": "aico.cli.main serve",
    "embed": "worker embed",
    "route": "worker route",
    "record": "worker record",
    "notify": "worker notify",
    "lane": "worker lane",
    "batch": "worker batch",
    "sweep": "aico.cli.main sweep",
}


@dataclass(frozen=True)
class Running:
    process: "subprocess.Popen[bytes]"
    state_dir: Path
    url: str
    key: str
    redis_url: str

    def client(self) -> Client:
        return Client(self.url, self.key)

    def part(self, name: str) -> psutil.Process:
        """The process of this name; the outermost where it has children of its own."""
        for child in psutil.Process(self.process.pid).children():
            if PARTS[name] in " ".join(child.cmdline()):
                return child
        raise LookupError(name)


@contextmanager
def stack(state_dir: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`aico up`, stopped by SIGTERM at the end. `environment` comes on top of this process's own."""
    state_dir.mkdir(parents=True, exist_ok=True)
    log = state_dir / "up.log"
    argv = [sys.executable, "-m", "aico.cli.main", "up", "--state-dir", str(state_dir), "--simulated", *options]
    seen = {**os.environ, **(environment or {}), "HOME": str(state_dir / "home")}
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, env=seen, cwd=state_dir)
    try:
        give_up = time.monotonic() + START_SECONDS
        while "Stop with Ctrl-C" not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > give_up:
                pytest.fail(f"the stack did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        addresses = dotenv_values(state_dir / "stack.env")
        values = {name: addresses[name] or "" for name in ("COST_OPTIMIZER_API_URL", "AICO_API_KEY", "REDIS_URL")}
        yield Running(process, state_dir, *values.values())
    finally:
        process.send_signal(SIGTERM)
        process.wait(STOP_SECONDS)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with stack(tmp_path_factory.mktemp("product"), "--no-flower") as running:
        yield running
