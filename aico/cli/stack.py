"""The whole product on one machine: what runs, in which order, and with which addresses.

What the environment or `.env` names (a database, a Redis, provider keys) is used; what is missing is started here.
"""

import os
import signal
import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx2
import redis

from aico.api.dashboard import built
from aico.cli.tenancy import ensure_key
from aico.core.errors import InvalidInput
from aico.core.settings import STACK_FILE, Settings, checked
from aico.embedded.auth.launcher import AuthServer, installed
from aico.embedded.child import Event, ProcessSpec
from aico.embedded.local_model.launcher import LocalModelServer
from aico.embedded.ports import LOOPBACK, take_port
from aico.embedded.postgres import PostgresServer
from aico.embedded.process import Command
from aico.embedded.secret_file import load_or_create_secret, new_encryption_key, write_private
from aico.embedded.supervisor import Stage, Supervisor
from aico.embedded.valkey import ValkeyServer
from aico.store.blocking import Database
from aico.store.migrate import APPLICATION, let_in, migrate
from aico.store.scope import ACCOUNTS, REALTIME
from aico.workers.app import WORKERS
from aico.workers.health import alive
from aico.workers.process import LAST_SECONDS

POSTGRES_PORT, AUTH_PORT, REDIS_PORT, MODEL_PORT, FLOWER_PORT = 54320, 54321, 63790, 8081, 5555
DEVELOPMENT_TENANT = "development"
FLOWER_USER = "admin"
_MARGIN_SECONDS = 5  # a worker leaves by itself before it is killed


@dataclass(frozen=True, slots=True)
class Options:
    state_dir: Path
    local_model: bool = True
    simulated: bool = False
    flower: bool = True
    tenant: str = DEVELOPMENT_TENANT


class Stack:
    """Prepared by its constructor, started by `run`. `environment` is what every child sees."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self._settings = settings
        self._options = options
        state = _writable(options.state_dir)
        self._state = state
        self.api_url = f"http://{LOOPBACK}:{take_port(settings.port)}"
        self.flower_url = f"http://{LOOPBACK}:{take_port(FLOWER_PORT)}" if options.flower else None
        self.flower_password_file = state / "flower.password"
        self.owner_password_file = state / "owner.password"
        self.tenant = options.tenant
        self.key_is_new = False
        self._postgres = None if given(settings, "database_url") else PostgresServer(state, take_port(POSTGRES_PORT))
        self._valkey = None if given(settings, "redis_url") else ValkeyServer(state, take_port(REDIS_PORT))
        self._model = (
            LocalModelServer(state, take_port(MODEL_PORT), simulated=options.simulated) if options.local_model else None
        )
        self.auth = AuthServer(state, take_port(AUTH_PORT)) if self._wants_auth() else None
        self.environment = {**os.environ, **self._addresses()}

    def run(self, *, on_event: Callable[[Event], None], on_ready: Callable[["Supervisor"], None]) -> None:
        """Blocks in the main thread until a stop is requested. Raises StartFailed where a part does not start."""
        supervisor: Supervisor
        stages = (
            Stage(self._servers(), then=self._connect),
            Stage(self._workers(), then=lambda: on_ready(supervisor)),
        )
        supervisor = Supervisor(self._state / "logs", stages, on_event)
        stop = partial(_stop, supervisor)
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            supervisor.run()
        finally:
            self._stack_file.unlink(missing_ok=True)
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def has_pages(self) -> bool:
        """Whether the dashboard is built."""
        return built(self._settings)

    def _wants_auth(self) -> bool:
        """Where the operator has no Supabase project: its tokens, and its database, are not ours to stand in for."""
        named = any(given(self._settings, name) for name in ("supabase_url", "supabase_jwt_secret"))
        return self._postgres is not None and not named and installed()

    def _addresses(self) -> dict[str, str]:
        addresses = {
            "PORT": self.api_url.rpartition(":")[2],
            "COST_OPTIMIZER_API_URL": self.api_url,
            "STATE_DIR": str(self._state),
            "OMP_NUM_THREADS": "1",
            **self._console_addresses(),
        }
        if not (given(self._settings, "encryption_keys") or given(self._settings, "encryption_kms")):
            keys = load_or_create_secret(self._state / "encryption.keys", new_encryption_key)
            addresses["ENCRYPTION_KEYS"] = keys.get_secret_value()
        if self._postgres is not None:
            self._postgres.prepare()
            password = load_or_create_secret(self._state / "application.password").get_secret_value()
            addresses["DATABASE_URL"] = f"postgresql://{APPLICATION}:{password}@{_place(self._postgres)}"
        if self._valkey is not None:
            self._valkey.prepare()
            addresses["REDIS_URL"] = self._valkey.url.get_secret_value()
        if self.auth is not None:
            self.auth.prepare()
            addresses["SUPABASE_URL"] = self.auth.url
            addresses["SUPABASE_ANON_KEY"] = self.auth.files.publishable_key.get_secret_value()
        return addresses

    def _console_addresses(self) -> dict[str, str]:
        if self.flower_url is None:
            return {}
        password = load_or_create_secret(self.flower_password_file).get_secret_value()
        return {
            "FLOWER_URL": self.flower_url,
            "FLOWER_ADDRESS": LOOPBACK,
            "FLOWER_PORT": self.flower_url.rpartition(":")[2],
            "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{password}",
        }

    def _servers(self) -> tuple[ProcessSpec, ...]:
        servers = (self._postgres, self._valkey, self._model)
        return tuple(server.spec() for server in servers if server is not None)

    def _connect(self) -> None:
        """Once the servers run: migrate, make the tenant and its key, and tell the children which model answers."""
        if self._postgres is not None:
            password = load_or_create_secret(self._state / "application.password").get_secret_value()
            owner = self._postgres.superuser_url.get_secret_value()
            migrate(owner, password)
            if self.auth is not None:
                let_in(owner, ACCOUNTS, self.auth.files.database_password.get_secret_value())
                let_in(owner, REALTIME, self.auth.files.realtime_password.get_secret_value())
        elif self._settings.database_admin_url is not None:
            migrate(self._settings.database_admin_url.get_secret_value())
        if self._model is not None:
            served = self._model.served_model()
            variable = "LOCAL_MODEL_URL" if served.owned_by == "local" else "SIMULATED_MODEL_URL"
            self.environment[variable] = self._model.url
        database = Database(self.environment.get("DATABASE_URL", self._settings.database_url), max_size=1)
        database.open()
        try:
            key, self.key_is_new = ensure_key(database, self.tenant, self._state / f"{self.tenant}.key")
        finally:
            database.close()
        self.environment["AICO_API_KEY"] = key
        write_private(self._stack_file, self._stack_lines())

    @property
    def _stack_file(self) -> Path:
        return self._state / STACK_FILE.name

    def _stack_lines(self) -> str:
        names = (
            *("DATABASE_URL", "REDIS_URL", "COST_OPTIMIZER_API_URL", "PORT", "AICO_API_KEY"),
            *("LOCAL_MODEL_URL", "SIMULATED_MODEL_URL", "SUPABASE_URL", "SUPABASE_ANON_KEY", "ENCRYPTION_KEYS"),
        )
        known = {name: self.environment[name] for name in names if name in self.environment}
        if self.auth is not None:  # for the command line: no child needs it
            known["SUPABASE_SERVICE_KEY"] = self.auth.files.secret_key.get_secret_value()
        return "".join(f"{name}={value}\n" for name, value in known.items())

    def _workers(self) -> tuple[ProcessSpec, ...]:
        """The API, the workers and the console. They share `environment`, which the stage before completes."""
        client = partial(redis.Redis.from_url, socket_timeout=2)
        broker = client(self._redis_url())
        grace = self._settings.stop_grace_seconds + LAST_SECONDS + _MARGIN_SECONDS
        specs = [
            ProcessSpec("api", self._aico("serve"), self._api_ready),
            *(
                ProcessSpec(name, self._aico("worker", name), partial(alive, broker, name), stop_timeout=grace)
                for name in WORKERS
            ),
            ProcessSpec("sweep", self._sweeper(), partial(alive, broker, "sweep")),
        ]
        if self.auth is not None and self._postgres is not None:
            specs.append(self.auth.spec(_place(self._postgres), self._for_pages()))
        if self._options.flower:
            specs.append(ProcessSpec("flower", self._aico("flower")))
        return tuple(specs)

    def _for_pages(self) -> Mapping[str, str]:
        """The dashboard signs in from the API's address, by either of its names."""
        pages = (self.api_url, self.api_url.replace(LOOPBACK, "localhost"))
        return {**self.environment, "CORS_ORIGINS": ",".join((*self._settings.cors_origins, *pages))}

    def _redis_url(self) -> str:
        return self.environment.get("REDIS_URL", self._settings.redis_url.get_secret_value())

    def _sweeper(self) -> Command:
        """It alone is told who owns the tables of the embedded database: it gives the cache its indexes."""
        command = self._aico("sweep")
        if self._postgres is None:
            return command
        owner = {"DATABASE_ADMIN_URL": self._postgres.superuser_url.get_secret_value()}
        return replace(command, env=ChainMap(owner, self.environment))

    def _aico(self, *arguments: str) -> Command:
        return Command((sys.executable, "-m", "aico.cli.main", *arguments), env=self.environment)

    def _api_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.api_url}/health/live", timeout=2).is_success
        except httpx2.TransportError:
            return False


def _place(postgres: PostgresServer) -> str:
    """Host, port and name of its database."""
    return postgres.superuser_url.get_secret_value().rpartition("@")[2]


def given(settings: Settings, name: str) -> bool:
    """Whether the operator set it, rather than its default or an earlier `aico up`."""
    return name in settings.model_fields_set


def operator_settings() -> Settings:
    """Settings without the addresses that an earlier `aico up` wrote down."""
    return checked(lambda: Settings(_env_file=".env"))  # type: ignore[call-arg]  # pydantic-settings' own, unknown to mypy


def _stop(supervisor: Supervisor, *_: object) -> None:
    supervisor.request_stop()


def _writable(folder: Path) -> Path:
    """The folder, made where it is missing. Raises InvalidInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be made: {error.strerror}; name another with --state-dir") from error
    if not os.access(folder, os.W_OK):
        raise InvalidInput(f"{folder} cannot be written to; name another with --state-dir")
    return folder.resolve()
