"""An OpenAI-compatible server that does as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Server:
    """Answers with `replies` in turn, the last for ever: (status, text or error, finish reason).

    While `gate` is closed it has read a request and says nothing.
    """

    replies: list[tuple[int, str, str]] = field(default_factory=lambda: [(200, "Paris.", "stop")])
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)  # as they were sent, one a call
    refused: set[str] = field(default_factory=set)  # keys that are answered with 401, and repeated in the body
    url: str = ""

    def reply(self, key: str | None) -> tuple[int, dict[str, Any]]:
        status, text, finish = self.replies[min(self.asked, len(self.replies) - 1)]
        self.asked += 1
        self.keys.append(key)
        if key in self.refused:
            said = f"{'x' * 160} Incorrect API key provided: {key} is not {key}"
            return 401, {"error": {"message": said, "type": "invalid_request_error", "param": key, "code": key}}
        self.gate.wait(30)
        if status != 200:
            return status, {"error": {"message": text, "type": "server_error", "param": None, "code": None}}
        message = {"role": "assistant", "content": text, "refusal": None}
        return status, {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "smollm2-135m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
        }


@contextmanager
def serving(server: Server | None = None) -> Iterator[Server]:
    state = server or Server()
    state.gate.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or an answer's body waits 40 ms for the receipt of its head

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.bodies.append(asked)
            status, body = state.reply((self.headers["Authorization"] or "").removeprefix("Bearer ") or None)
            if asked.get("stream") and status == 200:
                self.stream(body)
                return
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def stream(self, body: dict[str, Any]) -> None:
            """Word by word. With the finish reason `break` the connection is closed before the end."""
            choice = body["choices"][0]
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            words = choice["message"]["content"].split(" ")
            for index, word in enumerate(words):
                self.event({**body, "choices": [{"index": 0, "delta": {"content": " " * bool(index) + word}}]})
            if choice["finish_reason"] == "break":
                self.close_connection = True
                return
            self.event({**body, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
            self.wfile.write(b"data: [DONE]\n\n")

        def event(self, data: dict[str, Any]) -> None:
            time.sleep(0.02)  # so that the network does not make one piece of two
            self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Silent."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A caller that hangs up is part of the tests."""

    listener = Quiet(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{listener.server_port}/v1"
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield state
    state.gate.set()
    listener.shutdown()
    listener.server_close()
