"""What the tenant's outcomes taught, as a decision reads it: weights, solved beforehand and never on a request."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Learned:
    """`version` grows with each solution, of one tenant; with it a decision is logged."""

    version: int
    weights: Mapping[str, Weights]  # by model, over the vector of features
    labels: Mapping[str, float]  # by model: outcomes that it rests on, less what was forgotten
