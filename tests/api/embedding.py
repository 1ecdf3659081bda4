"""A real embed worker, for tests of vectors."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from api.conftest import wait_until

from aico.core.settings import Settings
from aico.workers.health import alive

ROOT = Path(__file__).parents[2]


@contextmanager
def embed_worker(settings: Settings, folder: Path) -> Iterator[None]:
    """A process of its own at the settings' Postgres and Redis, from its first sign of life on."""
    url = settings.redis_url.get_secret_value()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": url,
        "HOME": str(folder),
    }
    argv = [sys.executable, "-m", "aico.cli.main", "worker", "embed"]
    log = folder / "embed.log"
    with log.open("wb") as output, redis.Redis.from_url(url) as broker:
        process = subprocess.Popen(argv, stdout=output, stderr=output, env=environment, cwd=folder)
        try:
            wait_until(lambda: alive(broker, "embed") or process.poll() is not None)
            if process.poll() is not None:
                pytest.fail(log.read_text(errors="replace"))
            yield
        finally:
            process.terminate()
            process.wait(30)
