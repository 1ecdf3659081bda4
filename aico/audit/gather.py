"""A whole log as rows in the order of time.

Memory grows with the number of calls, by hashes and vectors, and the words of turns that have a vector. Of others at
most _HELD_CHARS are held at a time.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
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
_HELD_CHARS = 32_000_000  # of last turns that have nobody in their namespace to be compared with yet


@dataclass(frozen=True)
class Options:
    any_temperature: bool = False
    sample: int | None = None  # last turns to compare at most, chosen by fingerprint
    excerpts: bool = False


@dataclass(frozen=True)
class Log:
    """Rows in the order of time; `vectors` has shape (texts, 384)."""

    rows: list[Row]
    vectors: Vectors
    texts: Sequence[str]  # whose vectors they are
    timed: bool  # whether any call says when it was
    compared: float  # the part of the last turns that was compared by meaning, 0..1

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds. In a log without times a call's place stands in for its time."""
        return np.array([row.at if row.at is not None else place for place, row in enumerate(self.rows)], np.float64)


class Gatherer:
    def __init__(self, names: Names, embedders: Sequence[Embedder], options: Options) -> None:
        self._names = names
        self._options = options
        self._store = VectorStore(embedders)
        self._rows: list[Row] = []
        self._vectors: dict[bytes, int] = {}  # by fingerprint
        # By namespace: the only fingerprint in it and its last turn. The oldest is taken out again and again.
        self._alone: OrderedDict[bytes, tuple[bytes, str]] = OrderedDict()
        self._held = 0  # characters of those
        self._met: set[bytes] = set()  # namespaces whose turns are compared
        self._unanswered: dict[str, Row] = {}
        self._early: dict[str, LateResult] = {}
        self._below = _EVERY

    def gather(self, found: Iterable[LoggedCall | LateResult]) -> Log:
        for one in found:
            if isinstance(one, LateResult):
                self._answer(one)
            else:
                self._take(one)
        vectors, rows = self._store.all(), _in_time(self._rows)
        self._store.close()
        for row in rows:
            row.vector = self._vectors.get(row.fingerprint, -1)
        timed = any(row.at is not None for row in rows)
        return Log(rows, vectors, self._store.texts, timed=timed, compared=self._below / _EVERY)

    def _take(self, call: LoggedCall) -> None:
        row = distil(call, self._names, any_temperature=self._options.any_temperature)
        if self._options.excerpts:
            row.excerpt = call.request.last_user_turn[:_EXCERPT_CHARS]
        if call.custom_id is not None:
            self._expect(call.custom_id, row)
        self._rows.append(row)
        if row.searchable and self._sampled(row.fingerprint):
            self._place(row, call.request.last_user_turn)
            self._thin()

    def _place(self, row: Row, text: str) -> None:
        """A vector for each last turn that another one of its namespace can be compared with."""
        if row.namespace in self._met:
            self._embed(row.fingerprint, text)
        elif row.namespace not in self._alone:
            self._alone[row.namespace] = row.fingerprint, text
            self._held += len(text)
        elif self._alone[row.namespace][0] != row.fingerprint:
            self._release(row.namespace)
            self._embed(row.fingerprint, text)
        while self._held > _HELD_CHARS:
            self._release(next(iter(self._alone)))

    def _release(self, namespace: bytes) -> None:
        fingerprint, text = self._alone.pop(namespace)
        self._held -= len(text)
        self._met.add(namespace)
        self._embed(fingerprint, text)

    def _embed(self, fingerprint: bytes, text: str) -> None:
        if fingerprint not in self._vectors:
            self._vectors[fingerprint] = self._store.add(text)

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

    def _sampled(self, fingerprint: bytes) -> bool:
        return int.from_bytes(fingerprint[:8]) < self._below

    def _thin(self) -> None:
        """Half of what was compared so far, and of what comes, until it is little enough."""
        limit = self._options.sample
        if limit is None or len(self._vectors) <= limit:
            return
        while len(self._vectors) > limit and self._below > 1:
            self._below //= 2
            self._vectors = {one: place for one, place in self._vectors.items() if self._sampled(one)}
        places = sorted({place for place in self._vectors.values() if place >= 0})
        self._store.keep(places)
        moved = {place: index for index, place in enumerate(places)}
        self._vectors = {one: moved.get(place, -1) for one, place in self._vectors.items()}
        self._alone = OrderedDict((name, held) for name, held in self._alone.items() if self._sampled(held[0]))
        self._held = sum(len(text) for _, text in self._alone.values())


def _in_time(rows: list[Row]) -> list[Row]:
    """A call that does not say when it was belongs to the one before it."""
    before: float | None = next((row.at for row in rows if row.at is not None), None)
    for row in rows:
        row.at = before = before if row.at is None else row.at
    return rows if before is None else sorted(rows, key=lambda row: row.at or 0.0)
