"""Flower's settings: refused without credentials, and obeyed by a real Flower."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

CONFIG = Path(__file__).parents[2] / "infra" / "flower" / "flowerconfig.py"
WITHOUT_FLOWER = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
CREDENTIALS = {"FLOWER_USER": "olga", "FLOWER_PASSWORD": "s3cret"}


def run_config(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    show = "print(basic_auth, address, repr(url_prefix), max_tasks)"
    code = f"import runpy; globals().update(runpy.run_path({str(CONFIG)!r})); {show}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=WITHOUT_FLOWER | env, capture_output=True, text=True, check=False)


def test_settings_come_from_the_environment_and_stay_on_loopback() -> None:
    assert run_config(CREDENTIALS).stdout == "['olga:s3cret'] 127.0.0.1 '' 10000\n"
    behind_proxy = CREDENTIALS | {"FLOWER_ADDRESS": "0.0.0.0", "FLOWER_URL_PREFIX": "flower"}  # noqa: S104 - not bound
    assert run_config(behind_proxy).stdout == "['olga:s3cret'] 0.0.0.0 'flower' 10000\n"


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({}, "FLOWER_USER and FLOWER_PASSWORD"),
        ({"FLOWER_USER": "olga"}, "FLOWER_PASSWORD"),
        ({"FLOWER_USER": "olga", "FLOWER_PASSWORD": ""}, "FLOWER_PASSWORD"),
        ({"FLOWER_USER": "ol:ga", "FLOWER_PASSWORD": "s3cret"}, "FLOWER_USER"),
        ({"FLOWER_USER": "olga", "FLOWER_PASSWORD": "s3,cret"}, "comma"),
    ],
)
def test_start_is_refused_without_usable_credentials(env: dict[str, str], names: str) -> None:
    done = run_config(env)
    assert done.returncode == 1
    assert names in done.stderr
    assert "s3" not in done.stderr


def flower(folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """A real Flower over an application without workers, its settings named by FLOWER_CONF as in the image."""
    (folder / "empty.py").write_text("from celery import Celery\n\napp = Celery(broker='memory://localhost')\n")
    command = [sys.executable, "-m", "celery", "-A", "empty", "flower"]
    return subprocess.Popen(
        command, cwd=folder, env=WITHOUT_FLOWER | {"FLOWER_CONF": str(CONFIG)} | env, stderr=subprocess.PIPE
    )


@pytest.fixture
def flower_url(tmp_path: Path, free_port: int) -> Iterator[str]:
    pytest.importorskip("flower")
    url = f"http://127.0.0.1:{free_port}"
    with flower(tmp_path, CREDENTIALS | {"FLOWER_PORT": str(free_port)}) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                httpx2.get(f"{url}/healthcheck", trust_env=False)
            except httpx2.ConnectError:
                time.sleep(0.1)
            else:
                break
        yield url
        process.kill()


def test_flower_asks_for_the_password(flower_url: str) -> None:
    with httpx2.Client(base_url=flower_url, trust_env=False) as client:
        assert client.get("/api/tasks").status_code == 401
        assert client.get("/api/tasks", auth=("olga", "wrong")).status_code == 401
        assert client.get("/api/tasks", auth=("olga", "s3cret")).status_code == 200


def test_flower_does_not_start_without_credentials(tmp_path: Path, free_port: int) -> None:
    pytest.importorskip("flower")
    with flower(tmp_path, {"FLOWER_PORT": str(free_port)}) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"set FLOWER_USER and FLOWER_PASSWORD" in errors
