"""A sink that keeps what is told in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aico.tracing import spans
from aico.tracing.spans import Span


@dataclass
class Listener:
    spans: list[Span] = field(default_factory=list)

    def samples(self, trace: int, name: str) -> bool:
        del trace, name
        return True

    def take(self, span: Span) -> None:
        self.spans.append(span)

    def close(self) -> None:
        """Nothing is held back."""


@contextmanager
def listening() -> Iterator[list[Span]]:
    """What is told until the end of the block."""
    listener = Listener()
    spans.listen(listener)
    try:
        yield listener.spans
    finally:
        spans.listen(None)
