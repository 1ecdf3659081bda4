"""The command line in a process of its own making: `aico` as a call, and an API that can be told to misbehave."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aico.cli import main
from aico.core.settings import get_settings
from aico.embedded.ports import LOOPBACK

KEY = "aico_live_a_key_of_the_command_line"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Aico = Callable[..., Outcome]


@pytest.fixture
def aico(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Aico]:
    """Runs a command as the installed script does, in an empty folder whose `.env` nobody wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Outcome:
        get_settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["aico", *arguments])
        capsys.readouterr()
        code: Any = 0
        try:
            main.run()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return Outcome(int(code), printed.out, printed.err)

    yield run
    get_settings.cache_clear()


@dataclass
class FakeApi:
    """Answers each prompt with itself in capitals. `dies_after` submits it hangs up on every caller."""

    url: str = ""
    dies_after: int | None = None
    statuses: list[int] = field(default_factory=list)  # refusals that come before the next answers
    refused: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    submitted: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, str] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def dead(self) -> bool:
        return self.dies_after is not None and len(self.jobs) >= self.dies_after

    def respond(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        with self.lock:
            if self.dead:
                return None
            if self.statuses:
                return self.statuses.pop(0), {"detail": "not now"}
            if path == "/health":
                return 200, {"status": "ok"}
            if method == "POST":
                return self._submit(body)
            return 200, self._job(path.removeprefix("/v1/jobs/").partition("?")[0])

    def _submit(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        prompt = body["prompt"]
        self.received.append(body)
        if prompt in self.refused:
            return 422, {"detail": f"no {prompt} here"}
        self.submitted[prompt] += 1
        job = f"job-{len(self.jobs)}"
        self.jobs[job] = prompt
        return 202, {"id": job, "status": "queued"}

    def _job(self, job: str) -> dict[str, Any]:
        prompt = self.jobs[job]
        if prompt in self.failing:
            return {"id": job, "status": "failed", "error": {"code": "gone", "message": f"nobody answers {prompt}"}}
        answer = {"text": prompt.upper(), "finish_reason": "stop", "input_tokens": 1, "output_tokens": 1}
        routing = {
            "provider": "local",
            "model": "small",
            "cache": "miss",
            "cost_cents": "0.5",
            "baseline_model": "large",
            "baseline_cost_cents": "2",
        }
        return {"id": job, "status": "completed", "answer": answer, "routing": routing}


@pytest.fixture
def fake_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """At the address that the settings name."""
    api = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            api.keys.add(self.headers.get("Authorization"))
            response = api.respond(self.command, self.path, body)
            if response is None:
                self.close_connection = True
                return
            content = json.dumps(response[1]).encode()
            self.send_response(response[0])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Stay quiet."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        api.url = f"http://{LOOPBACK}:{httpd.server_port}"
        monkeypatch.setenv("COST_OPTIMIZER_API_URL", api.url)
        monkeypatch.setenv("AICO_API_KEY", KEY)
        yield api
        httpd.shutdown()
        thread.join()
