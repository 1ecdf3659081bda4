"""A whole log as rows in the order of time. Memory grows with calls, by hashes and vectors, not by their words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aico.audit.calls import LateResult, LoggedCall
from aico.audit.naming import Names
from aico.audit.rows import Row, distil, without_false_zero
from aico.audit.vectors import Vectors, VectorStore
from aico.embedding_service.protocol import Embedder

_EVERY = 1 << 64
_EXCERPT_CHARS = 80


@dataclass(frozen=True)
class Options:
    any_temperature: bool = False
    sample: int | None = None  # calls to keep at most, by fingerprint
    excerpts: bool = False


@dataclass(frozen=True)
class Log:
    """Rows in the order of time; `vectors` has shape (texts, 384). `calls` counts those outside the sample too."""

    rows: list[Row]
    vectors: Vectors
    calls: int
    timed: bool  # whether any call says when it was

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds. In a log without times a call's place stands in for its time."""
        return np.array([row.at if row.at is not None else place for place, row in enumerate(self.rows)], np.float64)


class Gatherer:
    def __init__(self, names: Names, embedder: Embedder | None, options: Options) -> None:
        self._names = names
        self._options = options
        self._store = VectorStore(embedder)
        self._rows: list[Row] = []
        self._vectors: dict[bytes, int] = {}  # by fingerprint
        self._unanswered: dict[str, Row] = {}
        self._early: dict[str, LateResult] = {}
        self._below = _EVERY
        self._calls = 0

    def gather(self, found: Iterable[LoggedCall | LateResult], told: Callable[[], None] = lambda: None) -> Log:
        for one in found:
            if isinstance(one, LateResult):
                self._answer(one)
            else:
                self._take(one)
            told()
        rows = _in_time(self._rows)
        return Log(rows, self._store.all(), self._calls, timed=any(row.at is not None for row in rows))

    def _take(self, call: LoggedCall) -> None:
        self._calls += 1
        row = distil(call, self._names, any_temperature=self._options.any_temperature)
        if self._options.excerpts:
            row.excerpt = call.request.last_user_turn[:_EXCERPT_CHARS]
        if call.custom_id is not None:
            self._expect(call.custom_id, row)
        if self._sampled(row):
            if row.searchable:
                self._place(row, call.request.last_user_turn)
            self._rows.append(row)
            self._thin()

    def _place(self, row: Row, text: str) -> None:
        if row.fingerprint not in self._vectors:
            self._vectors[row.fingerprint] = self._store.add(text)
        row.vector = self._vectors[row.fingerprint]

    def _expect(self, custom_id: str, row: Row) -> None:
        early = self._early.pop(custom_id, None)
        if early is None:
            self._unanswered[custom_id] = row
        else:
            self._complete(row, early)

    def _answer(self, late: LateResult) -> None:
        row = self._unanswered.pop(late.custom_id, None)
        if row is None:
            self._early[late.custom_id] = replace(late, result=replace(late.result, answer=None))
        else:
            self._complete(row, late)

    def _complete(self, row: Row, late: LateResult) -> None:
        result = late.result
        row.usage, row.cache_known, row.at = result.usage, result.cache_known, result.at
        if row.named.provider is None and result.model is not None:
            row.named = self._names.find(result.model, None)
        without_false_zero(row)

    def _sampled(self, row: Row) -> bool:
        return int.from_bytes(row.fingerprint[:8]) < self._below

    def _thin(self) -> None:
        """All calls of a fingerprint are kept or none: what repeats in the log repeats as often in the sample."""
        if self._options.sample is None or len(self._rows) <= self._options.sample:
            return
        while len(self._rows) > self._options.sample and self._below > 1:
            self._below //= 2
            self._rows = [row for row in self._rows if self._sampled(row)]
        places = sorted({row.vector for row in self._rows if row.vector >= 0})
        self._store.keep(places)
        moved = {place: index for index, place in enumerate(places)}
        self._vectors = {row.fingerprint: moved.get(row.vector, -1) for row in self._rows if row.searchable}
        for row in self._rows:
            row.vector = moved.get(row.vector, -1)


def _in_time(rows: list[Row]) -> list[Row]:
    """A call that does not say when it was belongs to the one before it."""
    before: float | None = next((row.at for row in rows if row.at is not None), None)
    for row in rows:
        row.at = before = before if row.at is None else row.at
    return rows if before is None else sorted(rows, key=lambda row: row.at or 0.0)
