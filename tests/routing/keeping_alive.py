"""A provider that keeps its connections open."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = json.dumps(
    {
        "model": "m-1",
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
).encode()


@dataclass
class KeepAlive:
    """A server of HTTP/1.1 that keeps its connections, and counts them."""

    url: str = ""
    connections: list[object] = field(default_factory=list)
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stalls: bool = False  # half of the next answer, and nothing more
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def keeping_alive(context: ssl.SSLContext | None = None) -> Iterator[KeepAlive]:
    state = KeepAlive()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or an answer's body waits 40 ms for the receipt of its head

        def setup(self) -> None:
            super().setup()
            state.connections.append(self.client_address)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            if not state.stalls:
                self.wfile.write(ANSWER)
                return
            self.wfile.write(ANSWER[:10])
            self.wfile.flush()
            if self.connection.recv(1) == b"":  # the client is gone
                state.closed.release()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Silent."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    origin = "http://127.0.0.1" if context is None else "https://localhost"
    state.url = f"{origin}:{httpd.server_port}/v1"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()
