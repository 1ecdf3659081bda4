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

    A reward is a quality in 0..1; x is the design vector of its prompt. Of x xᵀ is kept what lies around the mean of x:
    beside the square of a mean that is large and hardly varies, what does vary would be lost in rounding.
    """

    def __init__(
        self,
        mean: NDArray[np.float64],
        scatter: NDArray[np.float64],
        products: NDArray[np.float64],
        labels: float,
        squares: float,
    ) -> None:
        self._mean = mean  # of x: shape (dimensions,)
        self._scatter = scatter  # sum of (x - mean)(x - mean)ᵀ, symmetric: shape (dimensions, dimensions)
        self._products = products  # shape (dimensions,)
        self._labels = labels
        self._squares = squares
        self._pending: list[tuple[NDArray[np.float64], float]] = []  # rows and their weights

    @classmethod
    def empty(cls, dimensions: int = DIMENSIONS) -> Self:
        """`dimensions` are those of the design; by default of the one that sees the prompt alone."""
        return cls(np.zeros(dimensions), np.zeros((dimensions, dimensions)), np.zeros(dimensions), 0.0, 0.0)

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
        moments: NDArray[np.float64] = self._scatter + self._labels * np.outer(self._mean, self._mean)
        return moments

    @property
    def products(self) -> NDArray[np.float64]:
        return self._products

    def add(self, x: Design, reward: float, weight: float = 1.0) -> None:
        """Raises ValueError for a reward that is none: one alone would spoil all that is learned."""
        if not 0 <= reward <= 1:
            raise ValueError(f"a reward is a quality between 0 and 1, not {reward}")
        row = x.astype(np.float64)
        self._pending.append((row, weight))
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
        self._scatter *= keep
        self._products *= keep
        self._labels *= keep
        self._squares *= keep

    def encoded(self) -> bytes:
        self._settle()
        rows = len(self._products)
        head = _HEAD.pack(rows, self._labels, self._squares)
        triangle = self._scatter[np.triu_indices(rows)].astype("<f4")
        return head + np.concatenate([self._products, self._mean]).astype("<f8").tobytes() + triangle.tobytes()

    @classmethod
    def decoded(cls, data: bytes, dimensions: int = DIMENSIONS) -> Self:
        """Raises UnreadableLearning for bytes that `encoded` of a design of that size did not give."""
        rows = dimensions
        triangle = np.triu_indices(rows)
        if len(data) != _HEAD.size + 16 * rows + 4 * len(triangle[0]) or _HEAD.unpack_from(data)[0] != rows:
            raise UnreadableLearning(f"{len(data)} bytes are not statistics over {rows} numbers")
        _, labels, squares = _HEAD.unpack_from(data)
        products, mean = np.frombuffer(data, "<f8", 2 * rows, _HEAD.size).astype(np.float64).reshape(2, rows)
        scatter = np.zeros((rows, rows))
        scatter[triangle] = np.frombuffer(data, "<f4", -1, _HEAD.size + 16 * rows)
        scatter += np.triu(scatter, 1).T
        return cls(mean, scatter, products, labels, squares)

    def _settle(self) -> None:
        """Take in what is pending, as Chan, Golub and LeVeque (1979) join the sums of two samples."""
        pending, self._pending = self._pending, []
        new = sum(weight for _, weight in pending)
        if not new:
            return
        rows, weights = np.stack([row for row, _ in pending]), np.array([weight for _, weight in pending])
        mean = weights @ rows / new
        around = np.sqrt(weights)[:, np.newaxis] * (rows - mean)
        shift = mean - self._mean
        self._scatter += around.T @ around + ((self._labels - new) * new / self._labels) * np.outer(shift, shift)
        self._mean = self._mean + shift * (new / self._labels)
