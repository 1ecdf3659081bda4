"""Runs one kind of worker in this process, until it is told to stop or no longer hears its queues."""

import importlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
import structlog
from celery import signals

from aico.core.loading import uncollected
from aico.core.logs import configure_logging
from aico.tracing.switch import tracing
from aico.workers.app import WORKERS, WorkerKind, app
from aico.workers.heartbeat import Activity
from aico.workers.queue import SUBJECTS, TaskName
from aico.workers.runtime import Heartbeat, Runtime, get_runtime

log = structlog.get_logger()

DEAF_SECONDS = 30.0  # how long messages may wait beside free threads
LAST_SECONDS = 5.0  # after the grace, for giving back what is unfinished
EXIT_DEAF = os.EX_SOFTWARE
EXIT_UNFINISHED = os.EX_TEMPFAIL
_LOOKS = 10  # in DEAF_SECONDS
_QUIET = ("celery.worker.strategy", "celery.app.trace")  # a line a message: the ledger says more


def run_worker(name: str) -> None:
    """Blocks until the worker is told to stop; what runs then may end within the grace of the settings.

    A process that no longer hears its queues leaves with EXIT_DEAF, one whose tasks do not end with EXIT_UNFINISHED.
    """
    kind = WORKERS[name]
    runtime = get_runtime()
    configure_logging(runtime.settings.log_level)
    for logger in _QUIET:
        logging.getLogger(logger).setLevel(logging.WARNING)
    with uncollected():
        module = importlib.import_module(kind.module)
    warm_up: Callable[[], object] = module.warm_up
    threads = runtime.settings.route_concurrency if name == "route" else kind.threads
    activity = Activity(threads)
    shutdown = Shutdown(activity, module.wind_down, runtime.settings.stop_grace_seconds)
    _listen_to_celery(name, runtime, activity, shutdown)
    app.conf.worker_prefetch_multiplier = kind.prefetch
    app.conf.worker_send_task_events = runtime.settings.task_events
    with tracing(runtime.settings, name):
        warm_up()
        shutdown.prepare()
        try:
            app.worker_main(_arguments(name, kind, threads, runtime.settings.log_level))
        finally:
            shutdown.complete()


def _arguments(name: str, kind: WorkerKind, threads: int, log_level: str) -> list[str]:
    return [
        "worker",
        f"--hostname={name}@%h",
        "--pool=threads",
        f"--concurrency={threads}",
        f"--queues={','.join(kind.queues)}",
        "--without-gossip",
        "--without-mingle",
        f"--loglevel={log_level}",
    ]


def _listen_to_celery(name: str, runtime: Runtime, activity: Activity, shutdown: "Shutdown") -> None:
    """Tie what Celery tells of its worker to what this process says of itself."""
    heartbeat = Heartbeat(runtime, name, activity)
    watchdog = Watchdog(runtime.redis, WORKERS[name].queues, activity, patience=DEAF_SECONDS)

    def began(task_id: str, task: Any = None, args: Sequence[str] = (), **_: Any) -> None:
        name_in_logs(task and task.name, args)
        activity.began(task_id)

    def ended(task_id: str, **_: Any) -> None:
        activity.ended(task_id)

    def ready(**_: Any) -> None:
        heartbeat.start()
        threading.Thread(target=_watch, args=(watchdog, heartbeat, shutdown), name="watchdog", daemon=True).start()

    def stopping(**_: Any) -> None:
        shutdown.request()

    signals.task_prerun.connect(began, weak=False)
    signals.task_postrun.connect(ended, weak=False)
    signals.worker_ready.connect(ready, weak=False)
    signals.worker_shutting_down.connect(stopping, weak=False)


def name_in_logs(task: str | None, arguments: Sequence[str]) -> None:
    """All that this thread logs from now on is about this tenant and this job, or whatever the task is about.

    A micro-batch has no arguments: it is about many, and says itself about whom.
    """
    structlog.contextvars.clear_contextvars()
    if arguments:
        structlog.contextvars.bind_contextvars(tenant_id=arguments[0])
    if len(arguments) > 1 and task in SUBJECTS:
        structlog.contextvars.bind_contextvars(**{SUBJECTS[TaskName(task)]: arguments[1]})


def _watch(watchdog: "Watchdog", heartbeat: Heartbeat, shutdown: "Shutdown") -> None:
    """A process that takes no messages although some wait is worth less than a new one."""
    while not shutdown.begun.wait(DEAF_SECONDS / _LOOKS):
        if watchdog.is_deaf(time.monotonic()):
            log.critical("worker_deaf", seconds=DEAF_SECONDS)
            os._exit(EXIT_DEAF)
    heartbeat.stop()


class Watchdog:
    """Notices that a process has gone deaf: messages wait for it, threads are free, and yet nothing begins or ends."""

    def __init__(self, client: redis.Redis, queues: Sequence[str], activity: Activity, *, patience: float) -> None:
        self._client = client
        self._queues = queues
        self._activity = activity
        self._patience = patience
        self._since: float | None = None  # when this was first seen, without a break
        self._changes = activity.changes

    def is_deaf(self, now: float) -> bool:
        """To be asked again and again; `now` in seconds of a clock that never goes back.

        One look says nothing: a message may just have come. It must be so at every look for `patience` seconds. A Redis
        that is away is no sign, nor is a process whose threads are all taken.
        """
        before, self._changes = self._changes, self._activity.changes
        beat = self._activity.beat()
        if self._changes != before or beat.busy >= beat.slots or not self._messages_wait():
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= self._patience

    def _messages_wait(self) -> bool:
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for name in self._queues:
                    pipe.llen(name)
                return any(pipe.execute())
        except redis.RedisError:
            return False


class Shutdown:
    """The end of a worker: running tasks get `grace` seconds, then what is unfinished is given back by `wind_down`.

    Celery takes no new messages once it is told to stop, but would wait for running tasks for ever.
    """

    def __init__(self, activity: Activity, wind_down: Callable[[], object], grace: float) -> None:
        self.begun = threading.Event()
        self._activity = activity
        self._wind_down = wind_down
        self._grace = grace
        # Not a threading.Event: a signal handler may run while the main thread holds an Event's lock.
        self._requests: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._pool_is_empty = threading.Event()
        self._done = threading.Event()

    def prepare(self) -> None:
        """Start the thread that waits for a request: a signal handler must not start one."""
        threading.Thread(target=self._run, name="shutdown", daemon=True).start()

    def request(self) -> None:
        """May be called from a signal handler, and more than once."""
        self._requests.put(None)

    def complete(self) -> None:
        """To be called when Celery's worker has returned; waits until everything has ended or has been given back."""
        self._pool_is_empty.set()
        self.request()
        self._done.wait()

    def _run(self) -> None:
        self._requests.get()
        self.begun.set()
        last = threading.Timer(self._grace + LAST_SECONDS, _leave_unfinished)
        last.daemon = True
        last.start()
        give_up = time.monotonic() + self._grace
        # A micro-batch runs beside the pool.
        ended = self._pool_is_empty.wait(self._grace) and self._activity.wait_idle(give_up - time.monotonic())
        if not ended:
            log.warning("tasks_unfinished", count=self._activity.beat().busy, seconds=self._grace)
        try:
            self._wind_down()
        except Exception:
            # It is the last thing to be done; what was not given back is found when its lease runs out.
            log.exception("wind_down_failed")
        self._done.set()


def _leave_unfinished() -> None:
    log.error("stop_forced")
    os._exit(EXIT_UNFINISHED)
