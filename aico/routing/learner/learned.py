"""What the tenant's outcomes taught, as a decision reads it: weights, solved beforehand and never on a request."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aico.core.errors import AicoError

Weights = NDArray[np.float32]
Frontier = tuple[tuple[float, float], ...]


class UnreadableLearning(AicoError):
    """What was stored of a learner is of another design, or damaged."""

    code = "unreadable_learning"
    title = "What was learned cannot be read"


@dataclass(frozen=True)
class Learned:
    """`version` grows with each solution, of one tenant; with it a decision is logged."""

    version: int
    design: str  # whose numbers the weights are for
    shared: Weights  # how likely any model is to do well; with them starts a model of which nothing is known
    weights: Mapping[str, Weights]  # by model, over the design vector: the quality that is expected of it
    labels: Mapping[str, float]  # by model: outcomes that it rests on, less what was forgotten
    spread: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # by model: error of a mean
    # Of the tenant's recent traffic: the share of the best single model's quality that is reached, and the price of
    # quality that reaches it. With a price p one more US cent has to gain as much quality as p. Prices fall to 0.
    frontier: Frontier = ()

    @property
    def all_labels(self) -> float:
        return sum(self.labels.values())

    def price(self, target: float) -> float | None:
        """The highest price with which `target` is reached; None where the tenant's traffic is not known."""
        return next((price for share, price in self.frontier if share >= target), 0.0) if self.frontier else None

    def encoded(self) -> bytes:
        models = sorted(self.weights)
        head = {
            "version": self.version,
            "design": self.design,
            "models": models,
            "labels": dict(self.labels),
            "spread": dict(self.spread),
            "frontier": self.frontier,
        }
        held = io.BytesIO()
        rows = np.stack([self.shared, *(self.weights[model] for model in models)]).astype("<f4")
        np.savez_compressed(held, head=np.frombuffer(json.dumps(head).encode(), np.uint8), rows=rows)
        return held.getvalue()

    @classmethod
    def decoded(cls, data: bytes) -> Self:
        """Raises UnreadableLearning for what `encoded` did not give."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                head, rows = json.loads(held["head"].tobytes()), held["rows"]
            return cls(
                head["version"],
                head["design"],
                rows[0],
                dict(zip(head["models"], rows[1:], strict=True)),
                head["labels"],
                head["spread"],
                tuple((share, price) for share, price in head["frontier"]),
            )
        except (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise UnreadableLearning(f"{len(data)} bytes are not what a learner has learned") from error
