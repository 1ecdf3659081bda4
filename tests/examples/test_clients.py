"""The example clients run as a user runs them, against a server that speaks the documented interface."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
JOB = "/v1/jobs/018f0000-0000-7000-8000-000000000001"
FINISHED: dict[str, Any] = {
    "status": "completed",
    "answer": {"text": "Port 22."},
    "routing": {
        "provider": "local",
        "model": "tiny",
        "cache": "miss",
        "cost_cents": "0",
        "baseline_cost_cents": "0.12",
    },
}
FAILED = {"status": "failed", "error": {"code": "no_provider", "message": "No provider is switched on."}}


class JobServer(ThreadingHTTPServer):
    """Accepts one job, shows it running once, then final."""

    def __init__(self, final: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), JobHandler)
        self.requests: list[tuple[str, str, str | None, Any]] = []
        self.views = iter([{"status": "in_progress"}, final, final])


class JobHandler(BaseHTTPRequestHandler):
    server: JobServer

    def log_message(self, *_: object) -> None:
        """The test's output is not the place for an access log."""

    def _respond(self, status: int, view: dict[str, Any]) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, self.headers["Authorization"], body))
        content = json.dumps({"id": JOB.rsplit("/", 1)[1], **view}).encode()
        self.send_response(status)
        self.send_header("Location", JOB)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self._respond(202, {"status": "queued"})

    def do_GET(self) -> None:
        self._respond(200, next(self.server.views))


@pytest.fixture
def job_server(request: pytest.FixtureRequest) -> Iterator[JobServer]:
    with JobServer(request.param) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run_client(server: JobServer, *argv: str) -> subprocess.CompletedProcess[str]:
    address = {"COST_OPTIMIZER_API_URL": f"http://127.0.0.1:{server.server_port}", "AICO_API_KEY": "key"}
    env = {**os.environ, **address, "NO_PROXY": "127.0.0.1"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("job_server", [FINISHED], indirect=True)
def test_submit_waits_and_prints_the_answer_with_its_price(job_server: JobServer) -> None:
    done = run_client(job_server, sys.executable, str(EXAMPLES / "submit.py"), "Which port does SSH use?")
    assert done.stdout == "Port 22.\nlocal/tiny, cache miss, 0 cents instead of 0.12\n", done.stderr
    first, *polls = job_server.requests
    assert first == ("POST", "/v1/jobs", "Bearer key", {"prompt": "Which port does SSH use?", "max_tokens": 48})
    assert polls == [("GET", f"{JOB}?wait=10", "Bearer key", None)] * 2


@pytest.mark.parametrize("job_server", [FAILED], indirect=True)
def test_submit_says_why_a_job_failed(job_server: JobServer) -> None:
    done = run_client(job_server, sys.executable, str(EXAMPLES / "submit.py"), "Which port does SSH use?")
    assert done.returncode == 1
    assert "No provider is switched on." in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("job_server", [FINISHED], indirect=True)
def test_curl_follows_the_location_of_the_job(job_server: JobServer) -> None:
    done = run_client(job_server, "sh", str(EXAMPLES / "curl.sh"))
    assert json.loads(done.stdout)["status"] == "in_progress", done.stderr
    submitted, polled = job_server.requests
    assert submitted[:3] == ("POST", "/v1/jobs", "Bearer key")
    assert submitted[3].keys() == {"prompt", "max_tokens", "class", "metadata"}
    assert polled == ("GET", f"{JOB}?wait=30", "Bearer key", None)
