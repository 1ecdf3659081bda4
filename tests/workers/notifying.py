"""A receiver of webhooks on this machine, and the steps that lead to a delivery."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

from builders import completed, new_job
from conftest import Tenant
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from aico.core.ids import new_id
from aico.core.jobs import CacheMode
from aico.store import jobs, webhooks
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers import notify
from aico.workers.finish import finish
from aico.workers.runtime import Runtime

PATIENCE = 10
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST


@dataclass
class Receiver:
    """Answers with `replies` in turn, the last for ever, but for the paths that misbehave: see `_Handler`."""

    replies: list[tuple[int, dict[str, str]]] = field(default_factory=lambda: [(200, {})])
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        self.received.append((path, headers, body))
        reply = self.replies[min(len(self.received), len(self.replies)) - 1]
        self.arrived.release()
        return reply


class _Server(ThreadingHTTPServer):
    state: Receiver

    def handle_error(self, *_: object) -> None:
        """Callers that hang up or refuse the certificate are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, answer = self.server.state.take(self.path, headers, body)
        if self.path == "/slow":
            assert self.server.state.go.wait(PATIENCE)
        if self.path in {"/close", "/reset"}:
            self._hang_up()
            return
        self.send_response(status)
        for name, value in answer.items():
            self.send_header(name, value)
        if self.path == "/huge":
            self.send_header("X-Huge", "x" * 1_000_000)
        if self.path == "/drip":
            self.flush_headers()
            self._write_until_told(b"x: y\r\n")
        self.end_headers()
        if self.path == "/endless":
            self._write_until_told(b"x" * 10_000)

    def _hang_up(self) -> None:
        self.close_connection = True
        if self.path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()

    def _write_until_told(self, piece: bytes) -> None:
        while not self.server.state.go.wait(0.02):
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def receiving(pem: Path | None = None) -> Iterator[Receiver]:
    """Plain, or with TLS where `pem` holds a key and its certificate."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = state = Receiver(url=f"http://127.0.0.1:{server.server_port}")
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(name: str, folder: Path) -> Path:
    """A key and a certificate for this name, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    pem = folder / f"{name}.pem"
    pem.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, clear) + made.public_bytes(encoding))
    return pem


@dataclass(frozen=True)
class Added:
    id: UUID
    secret: SecretStr


def add(runtime: Runtime, tenant: Tenant, url: str, *events: str) -> Added:
    added = Added(new_id(), webhooks.make_secret())
    runtime.database.run(Scope.tenant(tenant.id), webhooks.add(tenant.id, added.id, url, added.secret, events))
    return added


@dataclass(frozen=True)
class Told:
    """A job that has ended, and the deliveries of that."""

    job: UUID
    deliveries: list[UUID]


def end(runtime: Runtime, tenant: Tenant) -> Told:
    job, scope = new_job("tell me", mode=CacheMode.OFF), Scope.tenant(tenant.id)
    runtime.database.run(scope, jobs.submit(tenant.id, [job]))
    assert finish(runtime, tenant.id, [completed(job.id, 0)]) == [job.id]
    query = "select id from public.webhook_deliveries where tenant_id = %(tenant)s and job_id = %(job)s"
    made: Statement[UUID] = Statement(query, {"tenant": tenant.id, "job": job.id}, lambda row: row["id"])
    return Told(job.id, runtime.database.run(scope, made))


def ring(tenant: Tenant, deliveries: Sequence[UUID]) -> None:
    for delivery in deliveries:
        notify.notify.run(str(tenant.id), str(delivery))


def side_by_side(tenant: Tenant, deliveries: Sequence[UUID]) -> list[threading.Thread]:
    """A bell for each at the same time."""
    together = threading.Barrier(len(deliveries))

    def answer(delivery: UUID) -> None:
        together.wait(PATIENCE)
        ring(tenant, [delivery])

    threads = [threading.Thread(target=answer, args=(delivery,)) for delivery in deliveries]
    for thread in threads:
        thread.start()
    return threads


def rung(runtime: Runtime, deliveries: Sequence[UUID]) -> int:
    """How many messages wait for these."""
    messages = runtime.redis.lrange("notify", 0, -1)
    return sum(str(delivery) in message for delivery in deliveries for message in messages)
