"""A design vector as it is kept: its own numbers as float16, and MiniLM's where the prompt's vector is kept anyway."""

import numpy as np
from numpy.typing import NDArray

from aico.core.embedding import DIMENSIONS as EMBEDDED
from aico.routing.features import Features
from aico.routing.learner.design import DESIGN, DIMENSIONS, Design, design

_OWN = DIMENSIONS - EMBEDDED  # MiniLM's numbers are the last


def kept(features: Features) -> bytes:
    """The numbers beside MiniLM's, little end first."""
    return design(features)[:_OWN].astype("<f2").tobytes()


def restored(name: str, data: bytes, vector: NDArray[np.float32] | None) -> Design | None:
    """The design vector of which `data` was kept, but for rounding. None: of another design, or damaged."""
    if name != DESIGN or len(data) != 2 * _OWN:
        return None
    row = np.zeros(DIMENSIONS, dtype=np.float32)
    row[:_OWN] = np.frombuffer(data, "<f2")
    if vector is not None:
        row[_OWN:] = vector
    return row if np.isfinite(row).all() else None
