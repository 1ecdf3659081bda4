"""The life of a batch, step by step. Each may be taken twice: it is fenced, or the same the second time."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

import structlog

from aico.core.ids import new_id
from aico.core.jobs import JobStatus
from aico.store import batch_steps
from aico.store.batch_steps import HeldBatch
from aico.store.batches import BatchStatus
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.wire.batch_lines import Fault
from aico.workers.batch_results import STOPPED, Results
from aico.workers.ended import trace_ended
from aico.workers.intake import Intake
from aico.workers.queue import to_batch, to_notify
from aico.workers.runtime import Runtime, patiently

log = structlog.get_logger()
T = TypeVar("T")

PAUSE_SECONDS = 2.0  # between two counts; longer where nothing moves
STOPPED_AT_ONCE = 500  # lines that are ended in one transaction


class BatchWork:
    def __init__(self, runtime: Runtime, intake: Intake, results: Results) -> None:
        self._runtime = runtime
        self._intake = intake
        self._results = results

    def step(self, held: HeldBatch) -> None:
        """As far as it goes now: check the file, take it in, count, stop what is to be stopped, write the results."""
        if held.status is BatchStatus.VALIDATING:
            self._validate(held)
        elif held.output_file_id is not None and held.error_file_id is not None:
            self._write(held, held.output_file_id, held.error_file_id)
        elif not held.valid:  # cancelled before its lines were known
            self._run(held, batch_steps.settle(held, BatchStatus.CANCELLED, new_id(), new_id()))
            self._go_on(held)
        elif not held.read:
            self._intake.take_in(held, self._why_not(held))
            self._go_on(held)
        else:
            self._follow(held)

    def _validate(self, held: HeldBatch) -> None:
        checked = self._intake.check(held)
        if isinstance(checked, int):
            self._run(held, batch_steps.accept(held, checked))
            log.info("batch_accepted", lines=checked)
            self._go_on(held)
        else:
            self._refuse(held, checked)

    def _refuse(self, held: HeldBatch, faults: Sequence[Fault]) -> None:
        deliveries = self._run(held, batch_steps.refuse(held, [fault.body for fault in faults]))
        self._runtime.tell(bells=[to_notify(held.tenant, delivery) for delivery in deliveries])
        log.info("batch_refused", code=faults[0].code)
        self._go_on(held)  # where it was cancelled meanwhile

    def _follow(self, held: HeldBatch) -> None:
        """Every line has a job or a fault: see how many are open, and end them where their time is up."""
        why = self._why_not(held)
        if why is not None:
            stop = batch_steps.stop_lines(held, JobStatus(why.value), STOPPED[why], STOPPED_AT_ONCE)
            while stopped := self._run(held, stop):
                self._runtime.tell(ended=stopped, cancelled=stopped)
                trace_ended(self._runtime, [held.tenant], stopped)
        for state in self._run(held, batch_steps.look(held)):  # none: somebody else is at it
            if state.open:
                self._run(held, batch_steps.postpone(held, PAUSE_SECONDS))
                return
            ending = why or (BatchStatus.EXPIRED if state.expired else BatchStatus.COMPLETED)
            self._run(held, batch_steps.settle(held, ending, new_id(), new_id()))
            self._go_on(held)

    def _write(self, held: HeldBatch, output: UUID, error: UUID) -> None:
        if not self._results.write(held, output, error):
            self._go_on(held)
            return
        deliveries = self._run(held, batch_steps.end(held, [output, error]))
        self._runtime.tell(bells=[to_notify(held.tenant, delivery) for delivery in deliveries])
        log.info("batch_ended", status=held.ending and held.ending.value)

    def _why_not(self, held: HeldBatch) -> BatchStatus | None:
        """What ends its open lines without an answer, if anything does."""
        if held.status is BatchStatus.CANCELLING:
            return BatchStatus.CANCELLED
        return BatchStatus.EXPIRED if held.overdue else None

    def _go_on(self, held: HeldBatch) -> None:
        """The next step is due at once: let it begin with a fresh look at the batch."""
        self._run(held, batch_steps.release(held))
        self._runtime.tell(bells=[to_batch(held.tenant, held.id)])

    def _run(self, held: HeldBatch, statement: Statement[T]) -> list[T]:
        return patiently(lambda: self._runtime.database.run(Scope.tenant(held.tenant), statement))
