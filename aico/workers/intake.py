"""A batch's file of requests: checked first, then taken in page by page. It is never held whole."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog
from pydantic import ValidationError

from aico.core.errors import AicoError, Unavailable
from aico.store import batch_steps, files, jobs
from aico.store.batch_steps import HeldBatch, NotedFault
from aico.store.batches import BatchStatus
from aico.store.jobs import BatchLine, NewJob
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.wire.batch_endpoints import ENDPOINTS
from aico.wire.batch_lines import MAX_LINES, MAX_SHOWN_FAULTS, BatchLineRequest, Fault, is_blank, read_line
from aico.wire.errors import Failure, failure_of, failure_of_faults
from aico.wire.jsonl import RawLine, raw_lines
from aico.workers.admission import Admission, Asker
from aico.workers.batch_results import STOPPED
from aico.workers.ended import trace_ended
from aico.workers.queue import bells_for
from aico.workers.redacting import Redactor
from aico.workers.runtime import Runtime, patiently

log = structlog.get_logger()

PAGE_LINES = 500
PAGE_BYTES = 4 * 1024 * 1024
LOOK_SECONDS = 2.0  # between two counts while lines are taken in
_HASH_BYTES = 16


@dataclass(slots=True)
class Page:
    """Lines that are stored in one transaction. `last`: the file ends with them."""

    end: int
    number: int
    last: bool = False
    lines: list[RawLine] = field(default_factory=list)


class Intake:
    def __init__(self, runtime: Runtime, admission: Admission, redactor: Redactor) -> None:
        self._runtime = runtime
        self._admission = admission
        self._redactor = redactor
        self._limit = runtime.settings.max_body_bytes

    def check(self, held: HeldBatch) -> int | list[Fault]:
        """How many requests there are, or the first faults of a file that is no batch.

        Linear in the file; holds a chunk, a line, and 16 bytes for each custom_id.
        """
        if held.input_bytes is None:
            return [Fault("file_not_found", "the input file is gone", "input_file_id")]
        seen: set[bytes] = set()
        faults: list[Fault] = []
        total = 0
        for raw in self._lines(held, 0, 0):
            if is_blank(raw.data):
                continue
            total += 1
            if total > MAX_LINES:
                return [*faults, Fault("too_many_lines", f"a batch has at most {MAX_LINES:,} requests")]
            try:
                _distinct(self._read(raw, held), raw.number, seen)
            except Fault as fault:
                faults.append(fault)
                if len(faults) == MAX_SHOWN_FAULTS:
                    return faults
        if not total:
            return [Fault("empty_file", "the input file holds no requests", "input_file_id")]
        return faults or total

    def take_in(self, held: HeldBatch, why_not: BatchStatus | None) -> None:
        """Store what is not stored yet: as jobs, or, where the batch ends already, as lines that nobody looked at.

        Ends early where the claim is lost, and where the batch is cancelled or overdue meanwhile.
        """
        looked = time.monotonic()
        for page in _pages(self._lines(held, held.read_bytes, held.read_lines), held):
            try:
                going = self._store(held, page, why_not)
            except Unavailable:  # whether the page is stored is seen when the batch is claimed again
                log.warning("batch_page_unsure", line=page.number)
                return
            if not going and (why_not is None or going is None):
                return
            if time.monotonic() - looked > LOOK_SECONDS:
                self._runtime.database.run(Scope.tenant(held.tenant, durable=False), batch_steps.look(held))
                looked = time.monotonic()

    def _store(self, held: HeldBatch, page: Page, why_not: BatchStatus | None) -> bool | None:
        """Whether more is wanted; None: the claim is lost."""
        taken = [self._taken(held, raw, why_not) for raw in page.lines]
        new = [one for one in taken if isinstance(one, NewJob)]
        faults = [one for one in taken if isinstance(one, NotedFault)]
        scope = Scope.tenant(held.tenant)
        advance = batch_steps.advance(held, page.end, page.number, last=page.last)
        work: list[tuple[Scope, Statement[Any]]] = [(scope, advance), (scope, batch_steps.note_faults(held, faults))]
        if new:
            work.append((scope, jobs.submit(held.tenant, new)))
        advanced, _, *stored = self._runtime.database.run_each(work)
        submitted = {one.id: one for found in stored for one in found}  # empty where the claim is lost
        bells = [bell for job in new if job.id in submitted for bell in bells_for(held.tenant, job, submitted[job.id])]
        self._runtime.tell(bells=bells)
        trace_ended(self._runtime, [held.tenant], [one.id for one in submitted.values() if one.answer is not None])
        return advanced[0] if advanced else None

    def _taken(self, held: HeldBatch, raw: RawLine, why_not: BatchStatus | None) -> NewJob | NotedFault:
        try:
            line = self._read(raw, held)
        except Fault as fault:  # what is allowed has changed since the file was checked
            return NotedFault(raw.number, "", 400, Failure(400, fault.message, fault.code, fault.param).body)
        if why_not is not None:
            return NotedFault(raw.number, line.custom_id, None, STOPPED[why_not].model_dump())
        endpoint = ENDPOINTS[held.endpoint]
        try:
            submission = endpoint.read(line.body)
            if self._redactor.needed(submission, held.pii):
                submission = self._redactor.clean(submission)
            job = self._admission.admit(submission, _asker(held))
        except ValidationError as error:
            return _refused(raw, line, failure_of_faults(error))
        except AicoError as error:
            error.param = endpoint.fields.get(error.param or "", error.param)
            return _refused(raw, line, failure_of(error))
        due = held.deadline if job.deadline is None else min(job.deadline, held.deadline)
        return replace(job, deadline=due, batch=BatchLine(held.id, raw.number, line.custom_id, held.fence))

    def _read(self, raw: RawLine, held: HeldBatch) -> BatchLineRequest:
        if raw.data is None:
            raise Fault("line_too_long", f"a line has at most {self._limit} bytes", line=raw.number)
        return read_line(raw.data, raw.number, held.endpoint)

    def _lines(self, held: HeldBatch, offset: int, number: int) -> Iterator[RawLine]:
        return raw_lines(self._pieces(held, offset), self._limit, number=number, offset=offset)

    def _pieces(self, held: HeldBatch, offset: int) -> Iterator[bytes]:
        scope = Scope.tenant(held.tenant)
        while True:
            chunk = files.chunk(held.tenant, held.input_file_id, offset)
            found = patiently(partial(self._runtime.database.run, scope, chunk))
            if not found or not found[0]:
                return
            yield found[0]
            offset += len(found[0])


def _asker(held: HeldBatch) -> Asker:
    return Asker(held.api_key_id, held.cache_mode, held.models, held.own_providers, held.programme, held.cache_personal)


def _distinct(line: BatchLineRequest, number: int, seen: set[bytes]) -> None:
    name = hashlib.blake2b(line.custom_id.encode(), digest_size=_HASH_BYTES).digest()
    if name in seen:
        message = f"the custom_id {line.custom_id!r} stands there twice"
        raise Fault("duplicate_custom_id", message, "custom_id", number)
    seen.add(name)


def _pages(raws: Iterable[RawLine], held: HeldBatch) -> Iterator[Page]:
    page, size = Page(held.read_bytes, held.read_lines), 0
    for raw in raws:
        page.end, page.number = raw.end, raw.number
        if is_blank(raw.data):
            continue
        page.lines.append(raw)
        size += len(raw.data or b"")
        if len(page.lines) == PAGE_LINES or size >= PAGE_BYTES:
            yield page
            page, size = Page(raw.end, raw.number), 0
    page.last = True
    yield page


def _refused(raw: RawLine, line: BatchLineRequest, failure: Failure) -> NotedFault:
    return NotedFault(raw.number, line.custom_id, failure.status, failure.body)
