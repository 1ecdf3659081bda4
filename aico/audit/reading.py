"""Files of logs, line by line: plain, gzipped or from standard input."""

import gzip
import io
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from typing_extensions import Buffer

from aico.audit.calls import LateResult, LoggedCall, NotReadable, SetAside
from aico.audit.formats.formats import Format, read_line
from aico.core.errors import InvalidInput
from aico.wire.jsonl import raw_lines

STDIN = Path("-")
MOST_LINE_BYTES = 32 * 1024 * 1024
_PIECE = 1024 * 1024
_SHOWN = 5  # lines that could not be read, in full
_GZIP = b"\x1f\x8b"


@dataclass
class Lines:
    """What became of the lines. `shown` are the first that could not be read: file, line and why."""

    calls: int = 0
    results: int = 0  # lines of a batch's output
    unreadable: Counter[str] = field(default_factory=Counter)  # by reason
    aside: Counter[str] = field(default_factory=Counter)  # by reason
    formats: Counter[Format] = field(default_factory=Counter)
    shown: list[tuple[str, int, str]] = field(default_factory=list)

    def bad(self, source: str, number: int, why: str) -> None:
        self.unreadable[why] += 1
        if len(self.shown) < _SHOWN:
            self.shown.append((source, number, why))


def read_logs(
    paths: Sequence[Path], lines: Lines, named: Format | None = None, told: Callable[[int], None] = lambda _: None
) -> Iterator[LoggedCall | LateResult]:
    """Every call in the files, counted in `lines`; `told` hears the bytes that each piece took on the disk.

    Holds one line. Raises InvalidInput for a file that cannot be opened.
    """
    for path in paths:
        source = "standard input" if path == STDIN else str(path)
        with _opened(path) as file:
            pieces = _pieces(file, source, lines, told)
            for line in raw_lines(pieces, MOST_LINE_BYTES):
                found = _read(line.data, source, line.number, lines, named)
                if found is not None:
                    yield found


def _read(
    data: bytes | None, source: str, number: int, lines: Lines, named: Format | None
) -> LoggedCall | LateResult | None:
    if data is None:
        lines.bad(source, number, f"longer than {MOST_LINE_BYTES // 1024**2} MiB")
        return None
    if not data.strip():
        return None
    try:
        chosen, found = read_line(data, named)
    except NotReadable as error:
        lines.bad(source, number, str(error))
        return None
    except SetAside as error:
        lines.aside[str(error)] += 1
        return None
    lines.formats[chosen] += 1
    if isinstance(found, LateResult):
        lines.results += 1
    else:
        lines.calls += 1
    return found


def _opened(path: Path) -> BinaryIO:
    if path == STDIN:
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error


def _pieces(file: BinaryIO, source: str, lines: Lines, told: Callable[[int], None]) -> Iterator[bytes]:
    """Unpacked where the file begins as gzip does, whatever its name. What follows a damaged place is lost."""
    counted = io.BufferedReader(_Counted(file, told), _PIECE)
    packed = counted.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
    stream = gzip.GzipFile(fileobj=counted) if packed else counted
    try:
        while piece := stream.read1(_PIECE):
            yield piece
    except (EOFError, OSError, zlib.error):
        lines.bad(source, 0, "the file is damaged: what follows the last line that was read is lost")


class _Counted(io.RawIOBase):
    def __init__(self, file: BinaryIO, told: Callable[[int], None]) -> None:
        self._file = file
        self._told = told

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        data = self._file.read(len(view))
        view[: len(data)] = data
        self._told(len(data))
        return len(data)
