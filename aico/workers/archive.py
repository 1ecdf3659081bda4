"""All that is a tenant's as one zip file: JSON lines for each table, written as they are read."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from aico.store import exports
from aico.store.exports import Table
from aico.store.statement import Statement

T = TypeVar("T")

PAGE_ROWS = 200
PAGE_BYTES = 4 * 1024 * 1024
FORMAT = 1  # of the manifest

Read = Callable[[Statement[Any]], list[Any]]
Progress = Callable[[str, int], None]


class Sink(io.RawIOBase):
    """What zipfile writes to without seeking: pieces of `size` bytes go to `put`, in order, with their position."""

    def __init__(self, put: Callable[[int, bytes], None], size: int) -> None:
        super().__init__()
        self._put = put
        self._size = size
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self.bytes = 0  # that have been put

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._buffer += data
        while len(self._buffer) >= self._size:
            self._send(self._size)
        return len(data)

    def finish(self) -> str:
        """Put what is left; SHA-256 of all bytes, in hex."""
        if self._buffer:
            self._send(len(self._buffer))
        return self._digest.hexdigest()

    def _send(self, size: int) -> None:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._digest.update(piece)
        self._put(self.bytes, piece)
        self.bytes += size


@dataclass(slots=True)
class Archive:
    """Holds a page of rows and a piece of the file at most. `counts` are the rows so far, by table."""

    tenant: UUID
    read: Read
    progress: Progress = lambda _table, _rows: None
    counts: dict[str, int] = field(default_factory=dict)

    def write(self, sink: Sink) -> None:
        tables = [table for table in self.read(exports.tables()) if table.name not in exports.LEFT_OUT]
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in tables:
                with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as member:
                    self._write_table(table, member.write)
            archive.writestr("manifest.json", json.dumps(self._manifest(tables), indent=2))

    def _write_table(self, table: Table, write: Callable[[bytes], object]) -> None:
        after: tuple[str, ...] | None = None
        self.counts[table.name] = 0
        while True:
            page = exports.page(self.tenant, table, after, limit=PAGE_ROWS, max_bytes=PAGE_BYTES)
            lines = self.read(page)
            for line in lines:
                write(line.text.encode() + b"\n")
            self.counts[table.name] += len(lines)
            self.progress(table.name, len(lines))
            if not lines:
                return
            after = lines[-1].place

    def _manifest(self, tables: Sequence[Table]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "tenant_id": str(self.tenant),
            "written_at": datetime.now(UTC).isoformat(),
            "rows": self.counts,
            "left_out": dict(exports.LEFT_OUT),
            "columns_left_out": {table.name: sorted(exports.SECRET.get(table.name, ())) for table in tables},
        }
