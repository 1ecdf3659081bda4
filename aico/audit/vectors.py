"""Vectors of last turns: computed in batches, kept as half floats as the service's own index keeps them.

Beside each its words, which the model reads wholly and which are therefore few.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from aico.core.embedding import DIMENSIONS
from aico.embedding_service.protocol import Embedder

Vectors = NDArray[np.float16]
_BATCH = 128  # texts that wait for each other
_AHEAD = 2  # batches for each embedder that wait for their turn


class VectorStore:
    """Shape (texts, 384). Each embedder works in a thread of its own; without any nothing is kept."""

    def __init__(self, embedders: Sequence[Embedder]) -> None:
        self._embedders = deque(embedders)
        self._pool = ThreadPoolExecutor(max(1, len(embedders)))
        self._waiting: list[str] = []
        self._under_way: deque[Future[Vectors]] = deque()
        self._done: list[Vectors] = []
        self.texts: list[str] = []

    def add(self, text: str) -> int:
        """Its place; -1 where the model does not read it whole, as the service does not compare such texts."""
        if not self._embedders or not self._embedders[0].reads(text):
            return -1
        self._waiting.append(text)
        self.texts.append(text)
        if len(self._waiting) >= _BATCH:
            self._begin()
        return len(self.texts) - 1

    def all(self) -> Vectors:
        self._begin()
        while self._under_way:
            self._done.append(self._under_way.popleft().result())
        self._done = [np.concatenate(self._done)] if self._done else [np.empty((0, DIMENSIONS), np.float16)]
        return self._done[0]

    def keep(self, places: Sequence[int]) -> None:
        """Those alone, in this order."""
        self._done = [self.all()[list(places)]]
        self.texts = [self.texts[place] for place in places]

    def close(self) -> None:
        self._pool.shutdown()

    def _begin(self) -> None:
        if not self._waiting:
            return
        if len(self._under_way) >= _AHEAD * len(self._embedders):
            self._done.append(self._under_way.popleft().result())
        self._embedders.rotate(1)
        self._under_way.append(self._pool.submit(_embed, self._embedders[0], self._waiting))
        self._waiting = []


def _embed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    return embedder.embed(texts).astype(np.float16)
