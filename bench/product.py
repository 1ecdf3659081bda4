"""The whole product under test: started by `aico up` in a folder of its own, and taken down with everything in it."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import psutil
import psycopg
import redis
from pydantic import SecretStr

from aico.core.settings import STACK_FILE, Settings
from aico.embedded.ports import LOOPBACK, free_port
from aico.embedded.postgres import PostgresServer
from aico.embedded.process import Command
from aico.workers.queue import Queue
from bench.load import PLACE, Load, LoadFailed, run_load
from bench.mock_provider import model_name
from bench.prompts import CACHED
from bench.servers import Cores, Groups, pin, running

DELAYS_MS = (0, 60)
_SETTLE_SECONDS = 120
_OPEN_WORK = (
    "select exists (select from public.jobs where status in ('queued', 'in_progress'))"
    " or exists (select from public.ledger_outbox)"
)
_EMPTY = "truncate public.jobs, public.cache_entries, public.cache_vectors, public.ledger_outbox cascade"


@dataclass(frozen=True, slots=True)
class Product:
    port: int
    key: SecretStr
    mock_port: int
    groups: Groups
    admin_url: SecretStr
    redis_url: SecretStr = field(repr=False)

    def load(
        self, path: str, *, expect: str, callers: int, seconds: float, cache: str = "semantic", delay_ms: int = 0
    ) -> Load:
        body = f'{{"prompt": "{PLACE}", "model": "{model_name(delay_ms)}", "cache": "{cache}"}}'
        headers = {"authorization": f"Bearer {self.key.get_secret_value()}"}
        return Load(self.port, path, body, expect, callers, seconds, headers)

    def fill_cache(self, cache: str) -> None:
        """Start from an empty database, and have CACHED prompts answered. Raises LoadFailed if one was not."""
        self.empty()
        filling = self.load("/v1/chat", expect='"cache":"miss"', callers=16, seconds=60, cache=cache)
        outcome = run_load(replace(filling, limit=CACHED))
        if outcome.unexpected or outcome.answers != CACHED:
            raise LoadFailed(f"the cache was not filled: {outcome}")
        self.settle()

    def settle(self) -> None:
        """Wait until every job has ended and is booked. Raises LoadFailed where that takes too long."""
        give_up = time.monotonic() + _SETTLE_SECONDS
        while self._administer(_OPEN_WORK):
            if time.monotonic() > give_up:
                raise LoadFailed(f"jobs were still open {_SETTLE_SECONDS} s after the load")
            time.sleep(0.1)

    def empty(self) -> None:
        """Forget all jobs, answers and messages."""
        self._administer(_EMPTY)
        with redis.Redis.from_url(self.redis_url.get_secret_value()) as client:
            client.delete(*(queue.value for queue in Queue))

    @contextmanager
    def paused_workers(self) -> Iterator[None]:
        for process in self.groups["workers"]:
            process.suspend()
        try:
            yield
        finally:
            for process in self.groups["workers"]:
                process.resume()

    def _administer(self, sql: str) -> bool:
        with psycopg.connect(self.admin_url.get_secret_value(), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return bool(cursor.fetchall()[0][0]) if cursor.description else False


@contextmanager
def running_product(home: Path, mock_port: int, cores: Cores | None) -> Iterator[Product]:
    """All state is kept in `home`. Raises StartFailed where a part does not start."""
    stack_file, environment = home / STACK_FILE.name, isolated_environment(mock_port)
    arguments = ("up", "--state-dir", str(home), "--no-local-model", "--no-flower")
    # Run from `home`, where no `.env` can bring in a provider that costs money or a database that matters.
    command = Command((sys.executable, "-m", "aico.cli.main", *arguments), env=environment, cwd=home)
    with running(command, home / "up.log", lambda: _healthy(stack_file), death_signal=signal.SIGTERM) as supervisor:
        product = _running_under(supervisor.pid, home, read_addresses(stack_file), mock_port)
        if cores:
            pin(product.groups["api"][0].pid, frozenset({cores.api}))
        yield product


def read_addresses(stack_file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in stack_file.read_text().splitlines())


def isolated_environment(mock_port: int) -> dict[str, str]:
    """The caller's own, without any setting of the product but those under test."""
    outside = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return {
        **outside,
        "OPENAI_COMPATIBLE_URL": f"http://{LOOPBACK}:{mock_port}/v1",
        "OPENAI_COMPATIBLE_MODELS": ",".join(map(model_name, DELAYS_MS)),
        "PORT": str(free_port(0)),
        "HOLDOUT_SHARE": "0",  # what is held out would be measured as a miss
    }


def _healthy(stack_file: Path) -> bool:
    if not stack_file.exists():
        return False
    try:
        answer = httpx2.get(f"{read_addresses(stack_file)['COST_OPTIMIZER_API_URL']}/health", timeout=5)
    except (httpx2.TransportError, KeyError):  # not listening, or the file is being written
        return False
    return answer.is_success and answer.json()["status"] == "ok"


def _running_under(supervisor: int, home: Path, addresses: Mapping[str, str], mock_port: int) -> Product:
    groups: dict[str, list[psutil.Process]] = {"api": [], "workers": [], "auth": [], "postgres": [], "redis": []}
    for process in psutil.Process(supervisor).children():
        groups[part_of(process.cmdline())].append(process)
    database_port = int(addresses["DATABASE_URL"].rpartition(":")[2].partition("/")[0])
    return Product(
        port=int(addresses["PORT"]),
        key=SecretStr(addresses["AICO_API_KEY"]),
        mock_port=mock_port,
        groups=groups,
        admin_url=PostgresServer(home, database_port).superuser_url,
        redis_url=SecretStr(addresses["REDIS_URL"]),
    )


def part_of(command_line: list[str]) -> str:
    """The group in which a process that `aico up` started is counted."""
    if "serve" in command_line:
        return "api"
    if "worker" in command_line or "sweep" in command_line:
        return "workers"
    if "aico.embedded.auth" in command_line:
        return "auth"
    return "postgres" if command_line[0].endswith("postgres") else "redis"
