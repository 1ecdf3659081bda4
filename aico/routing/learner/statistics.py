"""All that is kept of one model's outcomes: sums, from which weights are solved. Their size does not grow."""

import struct
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aico.routing.learner.design import DIMENSIONS, Design
from aico.routing.learner.learned import UnreadableLearning

_HEAD = struct.Struct("<Idd")  # dimensions, labels, sum of squared rewards
_PENDING = 64  # rows that are added in one product of matrices


class Statistics:
    """Weighted sums over the outcomes of one model: x xᵀ, x·reward, reward². Changed in place; not for many threads.

    A reward is a quality in 0..1; x is the design vector of its prompt.
    """

    def __init__(
        self, moments: NDArray[np.float64], products: NDArray[np.float64], labels: float, squares: float
    ) -> None:
        self._moments = moments  # upper triangle and mirror: shape (dimensions, dimensions)
        self._products = products  # shape (dimensions,)
        self._labels = labels
        self._squares = squares
        self._pending: list[NDArray[np.float64]] = []

    @classmethod
    def empty(cls, dimensions: int = DIMENSIONS) -> Self:
        """`dimensions` are those of the design; by default of the one that sees the prompt alone."""
        return cls(np.zeros((dimensions, dimensions)), np.zeros(dimensions), 0.0, 0.0)

    @property
    def labels(self) -> float:
        """Outcomes by weight, less what was forgotten."""
        return self._labels

    @property
    def squares(self) -> float:
        return self._squares

    @property
    def moments(self) -> NDArray[np.float64]:
        self._settle()
        return self._moments

    @property
    def products(self) -> NDArray[np.float64]:
        return self._products

    def add(self, x: Design, reward: float, weight: float = 1.0) -> None:
        row = x.astype(np.float64)
        self._pending.append(np.sqrt(weight) * row)
        self._products += (weight * reward) * row
        self._squares += weight * reward * reward
        self._labels += weight
        if len(self._pending) >= _PENDING:
            self._settle()

    def correct(self, x: Design, old: float, new: float, weight: float = 1.0) -> None:
        """A better outcome takes the place of one that was added with the same x and weight."""
        self._products += (weight * (new - old)) * x.astype(np.float64)
        self._squares += weight * (new * new - old * old)

    def forget(self, keep: float) -> None:
        """Everything so far counts for `keep` of what it did, in 0..1."""
        self._settle()
        self._moments *= keep
        self._products *= keep
        self._labels *= keep
        self._squares *= keep

    def encoded(self) -> bytes:
        self._settle()
        rows = len(self._products)
        head = _HEAD.pack(rows, self._labels, self._squares)
        triangle = self._moments[np.triu_indices(rows)].astype("<f4")
        return head + self._products.astype("<f8").tobytes() + triangle.tobytes()

    @classmethod
    def decoded(cls, data: bytes, dimensions: int = DIMENSIONS) -> Self:
        """Raises UnreadableLearning for bytes that `encoded` of a design of that size did not give."""
        rows = dimensions
        triangle = np.triu_indices(rows)
        if len(data) != _HEAD.size + 8 * rows + 4 * len(triangle[0]) or _HEAD.unpack_from(data)[0] != rows:
            raise UnreadableLearning(f"{len(data)} bytes are not statistics over {rows} numbers")
        _, labels, squares = _HEAD.unpack_from(data)
        products = np.frombuffer(data, "<f8", rows, _HEAD.size).astype(np.float64)
        moments = np.zeros((rows, rows))
        moments[triangle] = np.frombuffer(data, "<f4", -1, _HEAD.size + 8 * rows)
        moments += np.triu(moments, 1).T
        return cls(moments, products, labels, squares)

    def _settle(self) -> None:
        if self._pending:
            rows = np.stack(self._pending)
            self._pending.clear()
            self._moments += rows.T @ rows
