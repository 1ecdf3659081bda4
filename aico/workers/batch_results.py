"""What became of a batch's lines, written to its two files page by page, in line order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import pydantic_core

from aico.core.jobs import Answer, Job, JobError, JobStatus
from aico.core.quotas import Refusal
from aico.store import batch_steps
from aico.store.batch_steps import HeldBatch, NotedFault, Result
from aico.store.batches import BatchStatus
from aico.store.files import CHUNK_BYTES
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.wire import batch_lines
from aico.wire.errors import failure_of
from aico.workers.runtime import Runtime, patiently

PAGE_LINES = 200
PAGE_BYTES = 2 * 1024 * 1024  # of answers, as they are stored
STOPPED = {
    BatchStatus.CANCELLED: JobError(code="batch_cancelled", message="its batch was cancelled"),
    BatchStatus.EXPIRED: JobError(code="batch_expired", message="its batch expired"),
}
_STOPPED_CODES = {error.code for error in STOPPED.values()}


@dataclass(slots=True)
class Written:
    """Lines of both files, and the answers among them."""

    output: bytearray = field(default_factory=bytearray)
    error: bytearray = field(default_factory=bytearray)
    answers: list[Answer] = field(default_factory=list)

    def add(self, result: Result, held: HeldBatch) -> None:
        job = result.outcome
        if isinstance(job, Job) and job.answer is not None:
            self.answers.append(job.answer)
            self.output += _bytes(batch_lines.answered(job, held.endpoint))
        else:
            self.error += _bytes(_without_answer(job, held))


class Results:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def write(self, held: HeldBatch, output: UUID, error: UUID) -> bool:
        """All that is not written yet. False: somebody else is at it. Holds one page; linear in the lines."""
        run, scope = self._runtime.database.run, Scope.tenant(held.tenant)
        after = held.written_line
        while True:
            page = batch_steps.results(held, after, limit=PAGE_LINES, max_bytes=PAGE_BYTES)
            found = patiently(partial(run, scope, page))
            if not found:
                return True
            statement = _page(held, after, found, output, error)
            if not patiently(partial(run, scope, statement)):
                return False
            after = found[-1].line


def _page(held: HeldBatch, after: int, found: Sequence[Result], output: UUID, error: UUID) -> Statement[bool]:
    written = Written()
    for result in found:
        written.add(result, held)
    pieces = [(output, piece) for piece in _pieces(written.output)]
    pieces += [(error, piece) for piece in _pieces(written.error)]
    return batch_steps.write(held, after, found[-1].line, pieces, written.answers)


def _without_answer(outcome: Job | NotedFault, held: HeldBatch) -> dict[str, Any]:
    if isinstance(outcome, NotedFault):
        line_id = uuid5(held.id, str(outcome.line)).hex
        status, error = outcome.status, outcome.error
        if "refusal" in error:  # noted by the statement that would have stored it
            failure = failure_of(Refusal.of(error["refusal"]).error())
            status, error = failure.status, failure.body
        return batch_lines.refused(line_id, outcome.custom_id, status, error)
    if outcome.error is not None and outcome.error.code in _STOPPED_CODES:
        return batch_lines.stopped(outcome, outcome.error)
    if outcome.status is JobStatus.EXPIRED and outcome.deadline >= held.deadline:  # the sweeper was faster
        return batch_lines.stopped(outcome, STOPPED[BatchStatus.EXPIRED])
    return batch_lines.failed(outcome)


def _bytes(line: dict[str, Any]) -> bytes:
    return pydantic_core.to_json(line) + b"\n"


def _pieces(data: bytearray) -> Iterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield bytes(data[start : start + CHUNK_BYTES])
