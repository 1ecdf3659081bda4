"""Prompts at a steady rate, whatever becomes of them: an open loop, as independent callers are."""

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import httpx2

from bench.prompts import distinct

CLASSES = ("interactive", "standard", "batch")
CACHE_MODES = ("off", "exact", "semantic")

_CONNECTIONS = 64
_AGAIN_SECONDS = 0.2
_ANSWER_SECONDS = 10
_AGAIN = {429, 500, 502, 503, 504}


def request_of(number: int) -> dict[str, Any]:
    """The prompt of this number: no two ask the same, and all classes meet all cache modes."""
    return {
        "prompt": f"{distinct(number)} #{number}",
        "class": CLASSES[number % 3],
        "cache": CACHE_MODES[number // 3 % 3],
        "metadata": {"number": str(number)},
    }


class Load:
    """Sends from a thread of its own between entering and leaving.

    Leaving waits until all is acknowledged, unless an error ended the load. Each prompt has an idempotency key and is
    sent again, under the same, until the API has taken it.
    """

    def __init__(self, url: str, key: str, rate: float) -> None:
        self.accepted: dict[int, str] = {}  # by number: the job's id
        self.resent = 0
        self.seconds = 0.0
        self._url = url
        self._key = key
        self._rate = rate
        self._stop = threading.Event()
        self._abandoned = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._running: Future[None]

    def __enter__(self) -> Self:
        self._running = self._pool.submit(lambda: asyncio.run(self._send()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if error is not None:
            self._abandoned.set()
        self._pool.shutdown()
        if error is None:
            self._running.result()

    async def _send(self) -> None:
        started = time.monotonic()
        tasks: list[asyncio.Task[None]] = []
        async with httpx2.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=_ANSWER_SECONDS,
            limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
        ) as client:
            while not self._stop.is_set():
                due = int((time.monotonic() - started) * self._rate) + 1
                tasks += [asyncio.create_task(self._submit(client, number)) for number in range(len(tasks), due)]
                await asyncio.sleep(1 / self._rate)
            self.seconds = time.monotonic() - started
            await asyncio.gather(*tasks)

    async def _submit(self, client: httpx2.AsyncClient, number: int) -> None:
        headers = {"Idempotency-Key": f"load-{number}"}
        while not self._abandoned.is_set():
            try:
                response = await client.post("/v1/jobs", json=request_of(number), headers=headers)
            except httpx2.TransportError:
                response = None
            if response is not None and response.status_code not in _AGAIN:
                self.accepted[number] = response.raise_for_status().json()["id"]
                return
            self.resent += 1
            await asyncio.sleep(_AGAIN_SECONDS)
