"""Books what finished: batches of up to 500 jobs or a second's worth, from the outbox to the ledger and its rollups."""

from collections.abc import Sequence
from functools import cache

from aico.store import ledger
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.calibration import Calibration
from aico.workers.microbatch import MicroBatch
from aico.workers.queue import TaskName, by_tenant
from aico.workers.runtime import get_runtime, patiently


class RecordBatch(MicroBatch):
    abstract = True
    limit = 500
    linger = 1.0


@app.task(name=TaskName.RECORD.value, base=RecordBatch)
def record(messages: Sequence[tuple[str, ...]]) -> None:
    runtime = get_runtime()
    wanted = by_tenant(messages)
    statement = ledger.book_counted(list(wanted), [job for jobs in wanted.values() for job in jobs])
    (pairs,) = patiently(lambda: runtime.database.run(Scope.each(wanted, durable=False), statement))
    calibration().learn(pairs)


@cache
def calibration() -> Calibration:
    return Calibration(get_runtime().database)


def warm_up() -> None:
    """Nothing to load."""


def wind_down() -> None:
    """Nothing to give back: what is not booked stays in the outbox."""
