"""Statements by which a worker takes a batch on, step by step: each fenced, so that only the holder may."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.core.assignment import Programme
from aico.core.jobs import Answer, CacheMode, CachePersonal, Job, JobError, JobStatus
from aico.core.redaction import PiiPolicy
from aico.store.api_keys import models_of
from aico.store.batches import BatchStatus
from aico.store.jobs import job_of
from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("batches")


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """The right to take a batch's next step until the lease runs out; `fence` proves it."""

    tenant: UUID
    id: UUID
    fence: int
    status: BatchStatus
    endpoint: str
    api_key_id: UUID | None
    deadline: datetime
    overdue: bool  # the deadline has passed
    input_file_id: UUID
    input_bytes: int | None  # None: the file is gone
    read_bytes: int  # of the input: all that is before has become jobs, or faults
    read_lines: int
    read: bool  # all of it
    valid: bool  # its lines have been checked
    ending: BatchStatus | None  # what it will be once its results are written
    output_file_id: UUID | None  # None: writing has not begun
    error_file_id: UUID | None
    written_line: int  # the last line whose result has been written
    cache_mode: CacheMode | None  # of the tenant's policy
    cache_personal: CachePersonal  # likewise
    pii: PiiPolicy  # likewise
    programme: Programme  # likewise
    models: frozenset[str] | None  # that its API key may use; None: all
    own_providers: frozenset[str] = frozenset()  # for which the tenant has keys of its own


def claim(tenant: UUID, batch: UUID, lease_seconds: float) -> Statement[HeldBatch]:
    """No row: it has ended, its next step is not due, or somebody else is at it."""

    def parse(row: Row) -> HeldBatch:
        named = {
            "status": BatchStatus(row["status"]),
            "ending": row["ending"] and BatchStatus(row["ending"]),
            "cache_mode": row["cache_mode"] and CacheMode(row["cache_mode"]),
            "cache_personal": CachePersonal(row["cache_personal"]),
            "pii": PiiPolicy(row["pii"]),
            "programme": Programme.model_validate(row["programme"]),
            "models": models_of(row),
            "own_providers": frozenset(row["own_providers"]),
        }
        return HeldBatch(tenant=tenant, **{**row, **named})

    return Statement(_SQL["claim"], {"tenant": tenant, "id": batch, "lease": lease_seconds}, parse)


def renew(held: HeldBatch, lease_seconds: float) -> Statement[UUID]:
    return Statement(_SQL["renew"], {**_fenced(held), "lease": lease_seconds}, _id)


def accept(held: HeldBatch, total: int) -> Statement[UUID]:
    """Its lines may be taken in. No row: it was cancelled meanwhile, or the claim is lost."""
    return Statement(_SQL["accept"], {**_fenced(held), "total": total}, _id)


def refuse(held: HeldBatch, errors: Sequence[dict[str, Any]]) -> Statement[UUID]:
    """End it as failed. Returns the deliveries to webhook endpoints, to be rung for."""
    return Statement(_SQL["refuse"], {**_fenced(held), "errors": Jsonb(list(errors))}, _delivery)


@dataclass(frozen=True, slots=True)
class NotedFault:
    """A line that becomes no job. `status` as if it had been sent alone; None: nobody looked at it.

    Where a quota kept it out, `error` is `{"refusal": …}` as `private.reserve` says it, and the status is in that.
    """

    line: int
    custom_id: str
    status: int | None
    error: dict[str, Any]


def advance(held: HeldBatch, read_bytes: int, read_lines: int, *, last: bool) -> Statement[bool]:
    """The input up to there is stored in the same transaction, by statements that look at the fence as this one does.

    Whether more of it is wanted: False once the batch is cancelled or overdue. No row: the claim is lost.
    """
    params = {**_fenced(held), "read_bytes": read_bytes, "read_lines": read_lines, "last": last}
    return Statement(_SQL["advance"], params, lambda row: row["going"])


def note_faults(held: HeldBatch, faults: Sequence[NotedFault]) -> Statement[None]:
    params = {
        **_fenced(held),
        "lines": [fault.line for fault in faults],
        "custom_ids": [fault.custom_id for fault in faults],
        "statuses": [fault.status for fault in faults],
        "errors": [Jsonb(fault.error) for fault in faults],
    }
    return Statement(_SQL["note_faults"], params, no_row)


@dataclass(frozen=True, slots=True)
class State:
    open: int  # lines that have no result yet
    expired: bool  # a line has ended without a result because the batch's time was up


def look(held: HeldBatch) -> Statement[State]:
    """Count its lines anew: O(lines), along an index. No row: the claim is lost."""
    params = {**_fenced(held), "deadline": held.deadline}
    return Statement(_SQL["look"], params, lambda row: State(row["open"], row["expired"]))


def stop_lines(held: HeldBatch, status: JobStatus, error: JobError, limit: int) -> Statement[UUID]:
    """End up to `limit` of its open lines, but for those that are being ended otherwise at this moment."""
    params = {**_fenced(held), "status": status.value, "error": Jsonb(error.model_dump()), "limit": limit}
    return Statement(_SQL["stop_lines"], params, _id)


def postpone(held: HeldBatch, pause_seconds: float) -> Statement[UUID]:
    """Let go until the next step: after the pause, or longer where nothing has changed for long, up to 15 s.

    At once where it has been cancelled meanwhile.
    """
    params = {**_fenced(held), "pause": pause_seconds, "status": held.status.value}
    return Statement(_SQL["postpone"], params, _id)


def release(held: HeldBatch) -> Statement[None]:
    """Let go; the next step is due at once."""
    return Statement(_SQL["release"], _fenced(held), no_row)


def settle(held: HeldBatch, ending: BatchStatus, output: UUID, error: UUID) -> Statement[UUID]:
    """No line is open any more: begin the files of results. A cancellation that came first stays one."""
    params = {**_fenced(held), "ending": ending.value, "output": output, "error": error}
    return Statement(_SQL["settle"], params, _id)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a line: a job that has ended, or a fault."""

    line: int
    outcome: Job | NotedFault


def results(held: HeldBatch, after: int, *, limit: int, max_bytes: int) -> Statement[Result]:
    """The next in line order: up to `limit`, fewer where their answers, as stored, exceed `max_bytes` together."""
    params = {**_fenced(held), "after": after, "limit": limit, "bytes": max_bytes}
    return Statement(_SQL["results"], params, _result)


def _result(row: Row) -> Result:
    if row["id"] is None:
        fault = NotedFault(row["line"], row["fault_custom_id"], row["fault_status"], row["fault"])
        return Result(row["line"], fault)
    return Result(row["line"], job_of(row))


def write(
    held: HeldBatch, after: int, line: int, pieces: Sequence[tuple[UUID, bytes]], answers: Sequence[Answer]
) -> Statement[bool]:
    """Append pieces to files, and remember that all lines up to `line` are written. No row: the claim is lost."""
    params = {
        **_fenced(held),
        "after": after,
        "line": line,
        "files": [file for file, _ in pieces],
        "pieces": [data for _, data in pieces],
        "input": sum(answer.input_tokens for answer in answers),
        "cached": sum(answer.cached_tokens for answer in answers),
        "output": sum(answer.output_tokens for answer in answers),
        "reasoning": sum(answer.reasoning_tokens for answer in answers),
    }
    return Statement(_SQL["write"], params, lambda row: row["held"])


def end(held: HeldBatch, files: Sequence[UUID]) -> Statement[UUID]:
    """It has ended, and its files can be read; an empty one is none. Returns deliveries, as `refuse` does."""
    return Statement(_SQL["end"], {**_fenced(held), "files": list(files)}, _delivery)


def _fenced(held: HeldBatch) -> dict[str, Any]:
    return {"tenant": held.tenant, "id": held.id, "fence": held.fence}


def _id(row: Row) -> UUID:
    found: UUID = row["id"]
    return found


def _delivery(row: Row) -> UUID:
    found: UUID = row["delivery"]
    return found
