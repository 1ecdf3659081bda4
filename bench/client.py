"""The load client's process: a Load as JSON on stdin, its Outcome as JSON on stdout.

Written on bare transports, because on a small machine it shares a core with the servers that it measures.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import cast

import uvloop

from aico.embedded.ports import LOOPBACK
from bench.framing import request_bytes, take_message
from bench.load import PLACE, Load, Outcome, percentile
from bench.prompts import TEXTS


class Tally:
    """What all callers share: which prompt is next, when to stop, and the answers' times."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._text = TEXTS[load.prompts]
        self._before, self._after = load.body.split(PLACE)
        self._expect = load.expect.encode()
        self._sent = 0
        self._started = 0.0
        self._ended = 0.0
        self._latencies: list[float] = []
        self._unexpected = 0
        self._example = ""

    def start(self) -> None:
        self._started = time.perf_counter()

    def next_request(self, now: float) -> bytes | None:
        """None: the load has ended."""
        load = self._load
        if now - self._started >= load.seconds or self._sent == load.limit:
            return None
        prompt = self._text(load.first + self._sent)
        self._sent += 1
        return request_bytes(load.path, dict(load.headers), f"{self._before}{prompt}{self._after}".encode())

    def answered(self, head: bytes, body: bytes, sent_at: float, now: float) -> None:
        self._latencies.append(now - sent_at)
        self._ended = now
        if not head.startswith(b"http/1.1 2") or self._expect not in body:
            self._unexpected += 1
            self._example = self._example or (head.partition(b"\r\n")[0] + b" " + body[:800]).decode(errors="replace")

    def outcome(self) -> Outcome:
        ordered = sorted(self._latencies)
        if not ordered:
            raise ValueError("no request was answered")
        return Outcome(
            answers=len(ordered),
            unexpected=self._unexpected,
            example=self._example,
            seconds=self._ended - self._started,
            p50_ms=percentile(ordered, 0.5) * 1000,
            p99_ms=percentile(ordered, 0.99) * 1000,
            client_cpu_seconds=time.process_time(),
        )


class Caller(asyncio.Protocol):
    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._buffer = bytearray()
        self._sent_at = 0.0
        self._transport: asyncio.Transport
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is one in all but its class

    def send_next(self) -> None:
        now = time.perf_counter()
        request = self._tally.next_request(now)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent_at = now
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            message = take_message(self._buffer)
        except ValueError as error:
            self.done.set_exception(error)
            self._transport.abort()
            return
        if message is not None:
            self._tally.answered(*message, self._sent_at, time.perf_counter())
            self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed a connection under load"))


async def play(load: Load) -> Outcome:
    """Connect all callers, then start them together."""
    tally = Tally(load)
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(load.callers):
        _, caller = await loop.create_connection(partial(Caller, tally), LOOPBACK, load.port)
        callers.append(caller)
    tally.start()
    for caller in callers:
        caller.send_next()
    await asyncio.gather(*(caller.done for caller in callers))
    return tally.outcome()


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(play(Load(**json.load(sys.stdin)))))))
