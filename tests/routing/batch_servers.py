"""Real HTTP servers on the loopback that stand in for the batch APIs of providers."""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

HANG_SECONDS = 60  # longer than any test waits

LineFault = Literal["refused", "overloaded", "expired", "missing", "garbled"]
Ending = Literal["ended", "failed", "expired"]


@dataclass(frozen=True)
class Call:
    method: str
    path: str  # without the query
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    stalls: bool = False  # keeps the connection open in silence afterwards


@dataclass(frozen=True)
class Fault:
    """What happens once instead of an answer, with the next call whose method and path contain `at`."""

    at: str
    reply: Reply | None = None  # None: the call hangs


@dataclass
class RemoteBatch:
    id: str
    key: str | None
    lines: Mapping[str, Any]  # the request of each custom id
    started: float  # monotonic seconds
    cancelled: bool = False


@dataclass
class BatchServer(ABC):
    """Configure it by its fields, at any time; read what it was sent from `calls` and `received`."""

    ready_after: float = 0.0  # seconds from a batch's creation to its end
    ends_as: Ending = "ended"
    line_faults: dict[str, LineFault] = field(default_factory=dict)  # by custom id
    faults: list[Fault] = field(default_factory=list)
    answer: Callable[[str], str] = lambda prompt: f"echo: {prompt}"
    page: int | None = None  # batches on a page of the list, where it is to be less than the caller asks for
    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)  # create, find, poll, results, cancel, upload
    received: list[Call] = field(default_factory=list)
    batches: dict[str, RemoteBatch] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    base_path: str = "/v1"

    @abstractmethod
    def route(self, call: Call) -> Reply:
        """The answer to a call; `call.path` starts after the base path."""

    def handle(self, call: Call) -> Reply:
        with self._lock:
            self.received.append(call)
            fault = next((fault for fault in self.faults if fault.at in f"{call.method} {call.path}"), None)
            if fault is None:
                return self.route(call)
            self.faults.remove(fault)
        if fault.reply is None:
            self.released.wait(HANG_SECONDS)
            return Reply(503, b"")
        return fault.reply

    def add(self, key: str | None, lines: Mapping[str, Any], name: str) -> RemoteBatch:
        batch = RemoteBatch(name, key, lines, time.monotonic())
        self.batches[name] = batch
        return batch

    def ended(self, batch: RemoteBatch) -> bool:
        return batch.cancelled or time.monotonic() >= batch.started + self.ready_after

    def fault_of(self, batch: RemoteBatch, custom_id: str) -> LineFault | Literal["cancelled"] | None:
        return "cancelled" if batch.cancelled else self.line_faults.get(custom_id)

    def counts(self, batch: RemoteBatch) -> tuple[int, int]:
        """Lines that succeeded and lines that failed, so far."""
        if not self.ended(batch):
            return 0, 0
        failed = sum(self.fault_of(batch, name) is not None for name in batch.lines)
        return len(batch.lines) - failed, failed

    def newest(self, call: Call, size: str, after: str) -> tuple[list[RemoteBatch], bool]:
        """One page of the list, the newest first, and whether there is more of it."""
        names = list(reversed(self.batches))
        start = names.index(call.query[after]) + 1 if after in call.query else 0
        end = start + min(int(call.query[size]), self.page or len(names))
        return [self.batches[name] for name in names[start:end]], end < len(names)


S = TypeVar("S", bound=BatchServer)


def ok(body: object) -> Reply:
    return Reply(200, json.dumps(body).encode())


def jsonl(lines: list[object]) -> Reply:
    return Reply(200, b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@contextmanager
def serving(server: S) -> Iterator[S]:
    """The server at work; its `url` is the base address that a profile needs."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{httpd.server_port}{server.base_path}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def _handler(server: BatchServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            address = urlsplit(self.path)
            reply = server.handle(
                Call(
                    method=self.command,
                    path=address.path.removeprefix(server.base_path),
                    query={name: values[0] for name, values in parse_qs(address.query).items()},
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                )
            )
            self._send(reply)

        do_GET = do_POST  # noqa: N815 - the base class looks for that name

        def _send(self, reply: Reply) -> None:
            self.close_connection = True
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
                self.wfile.flush()
                server.released.wait(HANG_SECONDS if reply.stalls else 0)
            except OSError:
                return  # the client gave up, as it may

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Stay quiet."""

    return Handler
