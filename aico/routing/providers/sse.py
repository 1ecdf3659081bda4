"""Server-sent events, decoded from whatever pieces the network delivers (WHATWG HTML, section 9.2)."""

from collections.abc import Iterator


class EventDecoder:
    """Feed it bytes, get the data of every event that they complete. Comments and other fields are skipped."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Raises UnicodeDecodeError where a whole line is not UTF-8."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield from self._line(line.removesuffix(b"\r").decode("utf-8"))

    def _line(self, line: str) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data = []
            return
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
