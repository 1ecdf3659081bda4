"""Model servers that others wrote, run as they come from their registries."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx2
import pytest
from conftest import running, unavailable

from aico.embedded.child import ProcessSpec
from aico.embedded.ports import LOOPBACK, free_port
from aico.embedded.process import Command

INSTALLED = Path(__file__).parents[2] / ".venv" / "third-party"
HERE = Path(__file__).parent
Serve = Callable[[str, tuple[str, ...], dict[str, str]], AbstractContextManager[str]]


def _answers(url: str) -> bool:
    try:
        httpx2.get(url, timeout=2)
    except httpx2.HTTPError:
        return False
    return True


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Runs a server on a free port, which replaces `{port}` among its arguments, until the end of the block."""

    @contextmanager
    def serving(name: str, argv: tuple[str, ...], env: dict[str, str]) -> Iterator[str]:
        port = free_port(0)
        url = f"http://{LOOPBACK}:{port}"
        # Nothing may leave the machine: a proxy that nobody runs stands before everything but the loopback.
        closed = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": LOOPBACK}
        command = Command(tuple(part.format(port=port) for part in argv), env={**os.environ, **closed, **env})
        log = tmp_path_factory.mktemp(name) / "log"
        with running(ProcessSpec(name, command, ready=lambda: _answers(url)), log):
            yield url

    return serving


@pytest.fixture(scope="session")
def aimock(serve: Serve) -> Iterator[str]:
    node, program = shutil.which("node"), INSTALLED / "node/node_modules/@copilotkit/aimock/dist/cli.js"
    if node is None or not program.is_file():
        unavailable("@copilotkit/aimock is not installed: it takes node, npm and `make test`")
    answers = str(HERE / "aimock.json")
    argv = (str(node), str(program), "--host", LOOPBACK, "--port", "{port}", "--fixtures", answers, "--strict")
    with serve("aimock", argv, {}) as url:
        yield url


@pytest.fixture(scope="session")
def mockllm(serve: Serve) -> Iterator[str]:
    python = INSTALLED / "python/bin/python"
    if not python.is_file():
        unavailable("mockllm is not installed: `make test` does it")
    argv = (str(python), "-m", "uvicorn", "mockllm.server:app", "--host", LOOPBACK, "--port", "{port}")
    with serve("mockllm", argv, {"MOCKLLM_RESPONSES_FILE": str(HERE / "mockllm.yml")}) as url:
        yield url
