"""Vectors of last turns: computed in batches, kept as half floats as the service's own index keeps them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aico.core.embedding import DIMENSIONS
from aico.embedding_service.protocol import Embedder

Vectors = NDArray[np.float16]
_BATCH = 256  # texts that wait for each other; the only prompts that are held
_GROWTH = 4096


class VectorStore:
    """Shape (texts, 384). Without an embedder nothing is kept."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self._waiting: list[str] = []
        self._vectors = np.empty((0, DIMENSIONS), np.float16)
        self._filled = 0

    def add(self, text: str) -> int:
        """Its place; -1 where the model does not read it whole, as the service does not compare such texts."""
        if self._embedder is None or not self._embedder.reads(text):
            return -1
        self._waiting.append(text)
        place = self._filled + len(self._waiting) - 1
        if len(self._waiting) >= _BATCH:
            self._embed()
        return place

    def all(self) -> Vectors:
        self._embed()
        return self._vectors[: self._filled]

    def keep(self, places: Sequence[int]) -> None:
        """Those alone, in this order."""
        self._vectors = self.all()[list(places)] if places else self._vectors[:0]
        self._filled = len(places)

    def _embed(self) -> None:
        if self._embedder is None or not self._waiting:
            return
        found = self._embedder.embed(self._waiting).astype(np.float16)
        end = self._filled + len(found)
        if end > len(self._vectors):
            room = np.empty((max(_GROWTH, end, 2 * len(self._vectors)), DIMENSIONS), np.float16)
            room[: self._filled] = self._vectors[: self._filled]
            self._vectors = room
        self._vectors[self._filled : end] = found
        self._filled = end
        self._waiting = []
