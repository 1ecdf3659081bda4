"""A real route worker, for tests: its tasks last until they are released. Run as a process of its own."""

import sys
import time

from workers.patience import BEGAN, ENDED, INTERRUPTING, RELEASED, WOUND_DOWN

from aico.workers import process
from aico.workers.app import WORKERS, WorkerKind, app
from aico.workers.queue import TaskName
from aico.workers.runtime import get_runtime


@app.task(name=TaskName.ROUTE.value)
def route(_tenant_id: str, job_id: str) -> None:
    broker = get_runtime().redis
    broker.rpush(BEGAN, job_id)
    while not broker.exists(RELEASED):
        time.sleep(0.02)
    broker.rpush(ENDED, job_id)


def warm_up() -> None:
    """Nothing to load."""


def wind_down() -> None:
    broker = get_runtime().redis
    broker.rpush(WOUND_DOWN, broker.llen(ENDED))
    if broker.exists(INTERRUPTING):
        broker.set(RELEASED, "1")


def main() -> None:
    WORKERS["route"] = WorkerKind("workers.patient_worker", WORKERS["route"].queues)
    process.DEAF_SECONDS = float(sys.argv[1])
    process.LAST_SECONDS = 1.0
    process.run_worker("route")
