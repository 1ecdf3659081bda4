"""Lines of a file that comes in pieces: where the pieces end changes nothing."""

from hypothesis import given
from hypothesis import strategies as st

from aico.wire.jsonl import RawLine, raw_lines

LIMIT = 8
contents = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"x" * LIMIT, b"\xff"]), max_size=30).map(b"".join)


def whole(content: bytes) -> list[RawLine]:
    """What Python's own splitting says."""
    lines, end = [], 0
    *ended, last = content.split(b"\n")
    for number, line in enumerate(ended, 1):
        end += len(line) + 1
        lines.append(RawLine(number, end, line if len(line) <= LIMIT else None))
    if last:
        lines.append(RawLine(len(ended) + 1, len(content), last if len(last) <= LIMIT else None))
    return lines


@given(contents, st.integers(1, 12))
def test_lines_are_the_same_in_pieces_of_any_size(content: bytes, size: int) -> None:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert list(raw_lines(pieces, LIMIT)) == whole(content)


@given(contents, st.integers(0, 30))
def test_reading_goes_on_at_the_end_of_any_line(content: bytes, stop: int) -> None:
    lines = whole(content)
    read = lines[:stop]
    number, offset = (read[-1].number, read[-1].end) if read else (0, 0)
    assert list(raw_lines([content[offset:]], LIMIT, number=number, offset=offset)) == lines[stop:]


def test_a_line_that_is_too_long_is_not_kept() -> None:
    endless = (b"x" * 1000 for _ in range(1000))
    assert list(raw_lines(endless, LIMIT)) == [RawLine(1, 1_000_000, None)]
