"""A provider that streams slowly enough to be interrupted, and the product in front of it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acceptance.conftest import Running, stack
from faults.echo import MODEL, Echo
from faults.local_server import Connection, Request, serving
from openai import OpenAI

WORDS = [f"word{number} " for number in range(60)]
SETTINGS = {
    "LEASE_SECONDS": "3",
    "RETRY_BASE_SECONDS": "0.1",
    "OPENAI_COMPATIBLE_MODELS": f"slow,{MODEL}",
    "WEBHOOK_ALLOW_PRIVATE": "true",
}
HEAD = b"HTTP/1.1 200 -\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass
class SlowProvider:
    """Says a word every 50 ms. With `fickle` each call says other words."""

    fickle: bool = False
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def words(self) -> list[str]:
        with self.lock:
            self.calls += 1
            return [f"{self.calls}-{word}" for word in WORDS] if self.fickle else WORDS

    async def handle(self, request: Request, connection: Connection) -> None:
        assert json.loads(request.body)["stream"] is True
        await connection.send(HEAD)
        for word in self.words():
            await connection.send(_event({"delta": {"content": word}}))
            await asyncio.sleep(0.05)
        usage = {"prompt_tokens": 5, "completion_tokens": 60, "total_tokens": 65}
        await connection.send(_event({"delta": {}, "finish_reason": "stop"}, usage=usage) + b"data: [DONE]\n\n")
        connection.writer.close()


def _event(choice: dict[str, Any], **rest: Any) -> bytes:
    body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "slow", **rest}
    return b"data: " + json.dumps({**body, "choices": [{"index": 0, **choice}]}).encode() + b"\n\n"


@dataclass(frozen=True)
class Scene:
    """`asking` gives up at once; `patient` rides out restarts by the client's own rules."""

    provider: SlowProvider
    echo: Echo
    product: Running
    asking: OpenAI
    patient: OpenAI


@contextmanager
def opened(folder: Path) -> Iterator[Scene]:
    provider, echo = SlowProvider(), Echo()

    async def handle(request: Request, connection: Connection) -> None:
        asked = json.loads(request.body)["model"]
        await (echo if asked == MODEL else provider).handle(request, connection)

    with serving(handle) as url:
        environment = {**SETTINGS, "OPENAI_COMPATIBLE_URL": f"{url}/v1"}
        with stack(folder, "--no-flower", environment=environment) as product:
            asking, patient = (
                OpenAI(base_url=f"{product.url}/v1", api_key=product.key, max_retries=retries, timeout=60)
                for retries in (0, 8)
            )
            yield Scene(provider, echo, product, asking, patient)
