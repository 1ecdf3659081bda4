"""A real API for the command line, hands for what its workers would do, and a network that loses answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import httpx2
import pytest
from api.conftest import serving
from builders import completed
from conftest import Tenant
from pydantic import SecretStr

from aico.cli.client import Client
from aico.core.jobs import JobError, JobStatus
from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK
from aico.store import claims
from aico.store.blocking import Database
from aico.store.claims import Claim, Ending, PutBack
from aico.store.scope import Scope

REDIS_DATABASE = "8"  # no other test's workers take these messages


@dataclass(frozen=True)
class Live:
    """An API for one tenant. Jobs skip the embedding, so that a test can end them at once."""

    url: str
    tenant: Tenant
    database: Database

    def client(self, url: str | None = None, *, patience_seconds: float = 10) -> Client:
        return Client(url or self.url, self.tenant.key, patience_seconds=patience_seconds)

    def submit(self, prompt: str, **fields: Any) -> str:
        with self.client() as client:
            return str(client.submit({"prompt": prompt, "cache": "off", **fields})["id"])

    def job(self, job: str) -> dict[str, Any]:
        with self.client() as client:
            return client.get(job)

    def all_jobs(self) -> list[dict[str, Any]]:
        with self.client() as client:
            return [job for page in client.jobs() for job in page["data"]]

    def complete(self, job: str) -> None:
        self._finish(completed(UUID(job), self._claim(job).fence, keep=False))

    def end(self, job: str, status: JobStatus = JobStatus.FAILED, code: str = "no_answer") -> None:
        error = JobError(code=code, message="nobody [b]answered[/b]")
        self._finish(Ending(UUID(job), self._claim(job).fence, status, error=error))

    def hold(self, job: str, seconds: float) -> None:
        put = PutBack(self._claim(job), "rate_limited", "the provider said 429", pause_seconds=seconds, counts=True)
        assert self.database.run(Scope.tenant(self.tenant.id), claims.put_back(put))

    def dead(self, count: int, code: str = "no_answer", **fields: Any) -> list[str]:
        """Jobs that have failed."""
        jobs = [self.submit(f"dead {code} {number}", **fields) for number in range(count)]
        for job in jobs:
            self.end(job, code=code)
        return jobs

    def _claim(self, job: str) -> Claim:
        (held,) = self.database.run(Scope.tenant(self.tenant.id), claims.claim(self.tenant.id, UUID(job), 30))
        return held

    def _finish(self, ending: Ending) -> None:
        scope = Scope.tenant(self.tenant.id)
        assert self.database.run(scope, claims.finish(self.tenant.id, [ending], 3600))


@contextmanager
def living(settings: Settings, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """While it runs, commands find it and the tenant's key in the environment."""
    redis_url = f"{settings.redis_url.get_secret_value().rpartition('/')[0]}/{REDIS_DATABASE}"
    with serving(settings.model_copy(update={"redis_url": SecretStr(redis_url)})) as url:
        monkeypatch.setenv("COST_OPTIMIZER_API_URL", url)
        monkeypatch.setenv("AICO_API_KEY", tenant.key)
        yield Live(url, tenant, database)


@dataclass
class Network:
    """Between a client and `target`: of the next `losses` requests the answers are lost on the way."""

    target: str
    losses: int = 0
    url: str = ""
    keys: list[str | None] = field(default_factory=list)  # idempotency keys of what arrived
    lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx2.Response | None:
        answer = httpx2.request(method, self.target + path, headers=headers, content=body, timeout=30, verify=False)
        with self.lock:
            self.keys.append(headers.get("idempotency-key"))
            self.losses -= 1
            return None if self.losses >= 0 else answer


@contextmanager
def losing(target: str) -> Iterator[Network]:
    network = Network(target)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._carry()

        def do_POST(self) -> None:
            self._carry()

        def _carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            names = ("authorization", "content-type", "idempotency-key")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            answer = network.carry(self.command, self.path, headers, body)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Stay quiet."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        network.url = f"http://{LOOPBACK}:{httpd.server_port}"
        yield network
        httpd.shutdown()
        thread.join()
