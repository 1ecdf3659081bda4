"""Another process of the API, on the same database and Redis, that remembers credentials for an hour."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from api.conftest import DEAD_PORT, wait_until

from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK


@contextmanager
def other_process(settings: Settings, **environment: str) -> Iterator[str]:
    """Its address. The MCP server is mounted."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    whole = {
        **os.environ,
        "PORT": str(port),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "API_KEY_CACHE_SECONDS": "3600",
        "LOCAL_MODEL_URL": f"http://{LOOPBACK}:{DEAD_PORT}/v1",
        **environment,
    }
    process = subprocess.Popen([sys.executable, "-m", "aico.cli.main", "serve"], env=whole)
    url = f"http://{LOOPBACK}:{port}"
    try:
        wait_until(lambda: _answers(url))
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health/live", timeout=1).is_success
    except httpx2.TransportError:
        return False
