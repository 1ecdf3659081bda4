"""Books what finished, from the outbox to the ledger and its rollups, and has those told who look at the figures.

A job is booked at once where nothing was booked a moment before. Under load batches begin at most four times a second,
or when 500 messages wait.
"""

from collections.abc import Sequence
from functools import cache

from aico.store import ledger
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.calibration import Calibration
from aico.workers.microbatch import MicroBatch
from aico.workers.queue import TaskName, by_tenant
from aico.workers.runtime import get_runtime, patiently
from aico.workers.ticks import Ticker


class RecordBatch(MicroBatch):
    abstract = True
    limit = 500
    pace = 0.25


@app.task(name=TaskName.RECORD.value, base=RecordBatch)
def record(messages: Sequence[tuple[str, ...]]) -> None:
    runtime = get_runtime()
    wanted = by_tenant(messages)
    statement = ledger.book_counted(list(wanted), [job for jobs in wanted.values() for job in jobs])
    (pairs,) = patiently(lambda: runtime.database.run(Scope.each(wanted, durable=False), statement))
    ticker().nudge()
    calibration().learn(pairs)


@cache
def calibration() -> Calibration:
    return Calibration(get_runtime().database)


@cache
def ticker() -> Ticker:
    return Ticker(get_runtime().database)


def warm_up() -> None:
    ticker().start()
    ticker().nudge()  # another process may have left something to be told


def wind_down() -> None:
    """Nothing to give back: what is not booked stays in the outbox, and what is not told is told by the sweeper."""
