"""Runs one kind of worker in this process."""

import importlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import signals

from aico.core.logs import configure_logging
from aico.workers.app import WORKERS, app
from aico.workers.runtime import Heartbeat, get_runtime

_QUIET = ("celery.worker.strategy", "celery.app.trace")  # a line a message: the ledger says more


def run_worker(name: str) -> None:
    """Blocks until the worker is told to stop; then running tasks end first (SIGTERM) or at once (second SIGTERM)."""
    kind = WORKERS[name]
    runtime = get_runtime()
    configure_logging(runtime.settings.log_level)
    for logger in _QUIET:
        logging.getLogger(logger).setLevel(logging.WARNING)
    module = importlib.import_module(kind.module)
    warm: Callable[[], object] = module.warm_up
    beat = Heartbeat(runtime, name)
    signals.task_postrun.connect(partial(_progressed, beat), weak=False)
    signals.worker_ready.connect(partial(_ready, beat), weak=False)
    app.conf.worker_prefetch_multiplier = kind.prefetch
    app.conf.worker_send_task_events = runtime.settings.task_events
    warm()
    threads = runtime.settings.route_concurrency if name == "route" else kind.threads
    app.worker_main(
        [
            "worker",
            f"--hostname={name}@%h",
            "--pool=threads",
            f"--concurrency={threads}",
            f"--queues={','.join(queue.value for queue in kind.queues)}",
            "--without-gossip",
            "--without-mingle",
            f"--loglevel={runtime.settings.log_level}",
        ]
    )


def _progressed(beat: Heartbeat, **_: Any) -> None:
    beat.progressed()


def _ready(beat: Heartbeat, **_: Any) -> None:
    beat.start()
