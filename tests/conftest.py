"""Real servers for the whole suite: Postgres with pgvector and Valkey, each started once, in the clone's own folder.

A service that cannot be had skips what needs it on a laptop and fails it in CI.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any
from uuid import UUID

import psycopg
import pytest
from _pytest.nodeid import coerce_node_id
from side_by_side import ByServers, starts_the_product

from aico.core.access import Permission
from aico.core.ids import new_id
from aico.core.keys import make_key
from aico.core.settings import Settings
from aico.embedded.child import ProcessSpec
from aico.embedded.ports import take_port
from aico.embedded.postgres import PostgresServer
from aico.embedded.process import StartFailed, spawn
from aico.embedded.valkey import ValkeyServer
from aico.store import api_keys, tenants
from aico.store.blocking import Database
from aico.store.migrate import APPLICATION, migrate
from aico.store.scope import Scope

APPLICATION_PASSWORD = "application"
os.environ.setdefault("HOLDOUT_SHARE", "0")  # what is drawn by chance is for the tests that ask for it
_START_SECONDS = 180
# Reading the certificates of all authorities takes each client 20 ms, and no test speaks to a server that has one.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServers:
    return ByServers(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Names each operation's fuzz. Runners side by side tell tests by name: of two alike, one would be lost."""
    for item in items:
        label = getattr(item, "operation_label", None)
        if label is not None:
            item._id = coerce_node_id(f"{item.nodeid}[{label}]")  # the plugin leaves it out
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"tests of the same name: {twice}")
    if hasattr(config, "workerinput"):  # what takes longest begins first
        items.sort(key=lambda item: not starts_the_product(item.nodeid))


def unavailable(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running(spec: ProcessSpec, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = spawn(spec.command, output=output.fileno(), death_signal=SIGKILL)
    try:
        give_up = time.monotonic() + _START_SECONDS
        while spec.ready is not None and not spec.ready():
            if process.poll() is not None or time.monotonic() > give_up:
                unavailable(f"{spec.name} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(spec.stop_signal)
        process.wait(timeout=20)


@dataclass(frozen=True)
class Postgres:
    admin_url: str
    url: str  # as the application


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    state = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(state, take_port(0))
    try:
        server.prepare()
        spec = server.spec()
    except StartFailed as error:
        unavailable(str(error))
    with running(spec, state / "log"):
        admin = server.superuser_url.get_secret_value()
        migrate(admin, APPLICATION_PASSWORD)
        with psycopg.connect(admin, autocommit=True) as connection:  # what other tests left unfinished takes no room
            connection.execute("update private.pools set places = 1000000, tenant_cap = 1000000")
        host = admin.rpartition("@")[2]
        yield Postgres(admin, f"postgresql://{APPLICATION}:{APPLICATION_PASSWORD}@{host}")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state = tmp_path_factory.mktemp("valkey")
    server = ValkeyServer(state, take_port(0))
    try:
        server.prepare()
        spec = server.spec()
    except StartFailed as error:
        unavailable(str(error))
    with running(spec, state / "log"):
        yield server.url.get_secret_value()


@pytest.fixture(scope="session")
def database(postgres: Postgres) -> Iterator[Database]:
    opened = Database(postgres.url, max_size=4)
    opened.open()
    yield opened
    opened.close()


@dataclass(frozen=True)
class Tenant:
    id: UUID
    key: str
    key_id: UUID


def new_tenant(database: Database, scopes: Sequence[Permission] = ()) -> Tenant:
    """With a key of these scopes; none: those of every key."""
    tenant, key = new_id(), make_key("test")
    database.run(Scope.tenant(tenant), tenants.create(tenant, f"tenant {tenant}"))
    database.run(Scope.tenant(tenant), api_keys.create(tenant, key, scopes))
    return Tenant(tenant, key.secret.get_secret_value(), key.id)


@pytest.fixture
def make_tenant(database: Database) -> Callable[[], Tenant]:
    return lambda: new_tenant(database)


@pytest.fixture
def tenant(make_tenant: Callable[[], Tenant]) -> Tenant:
    return make_tenant()


@pytest.fixture
def settings(postgres: Postgres, redis_url: str, tmp_path: Path) -> Settings:
    """Settings that depend on nothing of this machine, with the local model's provider switched on."""
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=postgres.url,
        redis_url=redis_url,  # type: ignore[arg-type]
        local_model_url="http://127.0.0.1:9/v1",
        state_dir=tmp_path,
    )
