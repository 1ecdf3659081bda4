"""Writes what was asked to be exported into a file. An attempt that is cut off is begun anew, with another file."""

from functools import partial
from typing import Any

import structlog

from aico.core.ids import new_id
from aico.store import data_requests, exports
from aico.store.data_requests import HeldRequest
from aico.store.files import CHUNK_BYTES
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers.archive import Archive, Sink
from aico.workers.runtime import Runtime, patiently

log = structlog.get_logger()

MAX_ATTEMPTS = 10


class _ClaimLost(Exception):
    """Somebody else writes it, or it has been erased."""


def export(runtime: Runtime, held: HeldRequest) -> None:
    """Linear in the tenant's rows. They are read page by page: what changes meanwhile may be there or not."""
    if held.attempts > MAX_ATTEMPTS:
        _run(runtime, held, data_requests.fail(held, f"it was cut off {MAX_ATTEMPTS} times"))
        log.error("export_given_up")
        return
    try:
        size = _Writing(runtime, held).write()
    except _ClaimLost:
        log.warning("export_left")
    else:
        log.info("export_completed", bytes=size)


class _Writing:
    """One attempt, and its file. Raises _ClaimLost."""

    def __init__(self, runtime: Runtime, held: HeldRequest) -> None:
        self._run = partial(_run, runtime, held)
        self._held = held
        self._file = new_id()
        self._archive = Archive(held.tenant, self._run)

    def write(self) -> int:
        """How many bytes the file has."""
        self._must(exports.begin(self._held, self._file))
        sink = Sink(self._put, CHUNK_BYTES)
        self._archive.write(sink)
        sha256 = sink.finish()
        self._must(exports.complete(self._held, self._file, sink.bytes, sha256, self._archive.counts))
        return sink.bytes

    def _put(self, position: int, piece: bytes) -> None:
        self._must(exports.append(self._held, self._file, position, piece, self._archive.counts))

    def _must(self, statement: Statement[Any]) -> None:
        if not self._run(statement):
            raise _ClaimLost


def _run(runtime: Runtime, held: HeldRequest, statement: Statement[Any]) -> list[Any]:
    return patiently(lambda: runtime.database.run(Scope.tenant(held.tenant), statement))
