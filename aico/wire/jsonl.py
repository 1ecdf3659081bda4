"""Lines of a file that is never held whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawLine:
    number: int  # from 1
    end: int  # where the next one begins, in bytes of the file
    data: bytes | None  # without its line end; None: it is longer than is allowed


def raw_lines(pieces: Iterable[bytes], limit: int, *, number: int = 0, offset: int = 0) -> Iterator[RawLine]:
    """Split at `\\n`. Holds at most one piece and `limit` bytes; `number` lines up to `offset` were read before.

    Linear in the bytes.
    """
    kept = bytearray()
    skipping = False  # the rest of a line that is too long
    for piece in pieces:
        start = 0
        while (stop := piece.find(b"\n", start)) >= 0:
            number += 1
            offset += stop + 1 - start
            whole = not skipping and len(kept) + stop - start <= limit
            yield RawLine(number, offset, bytes(kept) + piece[start:stop] if whole else None)
            kept.clear()
            skipping, start = False, stop + 1
        offset += len(piece) - start
        skipping = skipping or len(kept) + len(piece) - start > limit
        if skipping:
            kept.clear()
        else:
            kept += piece[start:]
    if kept or skipping:
        yield RawLine(number + 1, offset, None if skipping else bytes(kept))
