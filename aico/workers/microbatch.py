"""Greedy micro-batching of Celery messages.

A batch is whatever has arrived while the previous one was being worked on, up to a limit; an idle worker starts at once
with a single message. Messages bypass the pool: one thread takes them from a buffer that the prefetch count bounds, and
they are acknowledged when a batch takes them, because the job's row is the truth.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from math import inf
from typing import Any, ClassVar

import structlog
from celery import Task, signals

log = structlog.get_logger()
stdlib_log = logging.getLogger(__name__)

Arguments = tuple[str, ...]


class Batcher:
    """A buffer and the thread that empties it.

    A batch begins at least `pace` seconds after the one before it, so that company gathers, unless it is full.
    """

    def __init__(self, work: Callable[[Sequence[Arguments]], None], *, limit: int, pace: float) -> None:
        self._work = work
        self._limit = limit
        self._pace = pace
        self._begun = -inf
        self._buffer: deque[tuple[Arguments, Callable[[], None]]] = deque()
        self._changed = threading.Condition()
        self._full = threading.Event()

    def start(self, name: str) -> None:
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def add(self, arguments: Arguments, taken: Callable[[], None]) -> None:
        """Queue one item; `taken` is called when a batch includes it."""
        with self._changed:
            self._buffer.append((arguments, taken))
            if len(self._buffer) >= self._limit:
                self._full.set()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            items = self._take()
            for _, taken in items:
                taken()
            try:
                self._work([arguments for arguments, _ in items])
            except Exception:
                # The thread must outlive a bad batch; its jobs keep their state and the sweeper rings again.
                log.exception("batch_failed", size=len(items))

    def _take(self) -> list[tuple[Arguments, Callable[[], None]]]:
        with self._changed:
            while not self._buffer:
                self._changed.wait()
        pause = self._begun + self._pace - time.monotonic()
        if pause > 0:
            self._full.wait(pause)
        self._begun = time.monotonic()
        with self._changed:
            items = [self._buffer.popleft() for _ in range(min(self._limit, len(self._buffer)))]
            if len(self._buffer) < self._limit:
                self._full.clear()
            return items


class _ConsumerThread:
    """Runs callables on the consumer's own thread, where acknowledging is safe."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._calls: deque[Callable[[], None]] = deque()

    def attach(self, hub: Any) -> None:
        """Join the event loop of a consumer; again after each reconnection."""
        hub.add_reader(self._read, self._drain)

    def call(self, function: Callable[[], None]) -> None:
        self._calls.append(function)
        os.write(self._write, b".")

    def _drain(self, *_: Any) -> None:
        os.read(self._read, 4096)
        while self._calls:
            self._calls.popleft()()


class MicroBatch(Task):  # type: ignore[type-arg]
    """Base of tasks that work on many messages at once: the task's function gets a list of argument tuples."""

    abstract = True
    typing = False
    limit: ClassVar[int] = 64  # items in a batch
    pace: ClassVar[float] = 0.0  # seconds from the begin of one batch to that of the next, unless it is full

    @cached_property
    def _batcher(self) -> Batcher:
        batcher = Batcher(self._work, limit=self.limit, pace=self.pace)
        batcher.start(f"batch-{self.name}")
        return batcher

    def _work(self, messages: Sequence[Arguments]) -> None:
        signals.task_prerun.send(sender=self, task_id=self.name)
        try:
            self.run(messages)
        finally:
            signals.task_postrun.send(sender=self, task_id=self.name)

    @cached_property
    def _consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread()

    def Strategy(  # type: ignore[override]  # noqa: N802 - Celery's name, of a class or a function
        self, _task: Any, _app: Any, consumer: Any
    ) -> Callable[..., None]:
        """What handles each message; Celery asks for it at every connection to the broker."""
        self._consumer_thread.attach(consumer.hub)

        def handle(message: Any, *_: Any, **__: Any) -> None:
            def acknowledge() -> None:
                message.ack_log_error(stdlib_log, consumer.connection_errors)

            self._batcher.add(tuple(message.payload[0]), lambda: self._consumer_thread.call(acknowledge))

        return handle
