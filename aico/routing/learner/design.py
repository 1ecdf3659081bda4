"""The numbers that a learner sees of a prompt: a vector of fixed length, made of its features alone."""

from math import log1p

import numpy as np
from numpy.typing import NDArray

from aico.core.embedding import DIMENSIONS as EMBEDDED
from aico.routing.difficulty import assess
from aico.routing.features import Features, TaskType
from aico.routing.surface import SURFACE_COUNT

# Statistics are sums over these numbers: those of another design mean something else and are of no use.
DESIGN = "design-1"

INTERCEPT, SCORE = 0, 1  # where the constant and the complexity score stand
_COUNTS = 9
_TASKS = tuple(TaskType)
_SURFACE_AT = 2 + _COUNTS
_TASKS_AT = _SURFACE_AT + SURFACE_COUNT
_VECTOR_AT = _TASKS_AT + len(_TASKS)
DIMENSIONS = _VECTOR_AT + EMBEDDED
VECTOR = slice(_VECTOR_AT, DIMENSIONS)

Design = NDArray[np.float32]


def design(features: Features) -> Design:
    """Shape (DIMENSIONS,). Without a vector its part is zero, which a number of its own says."""
    row = np.zeros(DIMENSIONS, dtype=np.float32)
    row[INTERCEPT], row[SCORE] = 1.0, assess(features)[0]
    row[2:_SURFACE_AT] = _counts(features)
    if features.surface:
        row[_SURFACE_AT:_TASKS_AT] = features.surface
    row[_TASKS_AT + _TASKS.index(features.task)] = 1.0
    if features.vector is not None:
        row[VECTOR] = features.vector
    return row


def _counts(features: Features) -> tuple[float, ...]:
    return (
        log1p(features.question_chars),
        log1p(features.input_tokens),
        log1p(features.turns),
        log1p(features.code_marks),
        log1p(features.math_marks),
        log1p(features.reasoning_words),
        log1p(features.constraints),
        log1p(features.questions),
        float(features.vector is None),
    )
