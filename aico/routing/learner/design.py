"""The numbers that a learner sees of a prompt: a vector of fixed length, made of its features alone."""

import math

import numpy as np
from numpy.typing import NDArray

from aico.core.embedding import DIMENSIONS as EMBEDDED
from aico.routing.difficulty import assess
from aico.routing.features import Features, TaskType

# Statistics are sums over these numbers: those of another design mean something else and are of no use.
DESIGN = "design-1"

_TASKS = tuple(TaskType)
_CHEAP = 9
INTERCEPT, SCORE = 0, 1  # where the constant and the complexity score stand
_TASK_AT = 2 + _CHEAP
_VECTOR_AT = _TASK_AT + len(_TASKS)
DIMENSIONS = _VECTOR_AT + EMBEDDED
VECTOR = slice(_VECTOR_AT, DIMENSIONS)

Design = NDArray[np.float32]


def design(features: Features) -> Design:
    """Shape (DIMENSIONS,). Without a vector its part is zero, which a number of its own says."""
    row = np.zeros(DIMENSIONS, dtype=np.float32)
    row[INTERCEPT] = 1.0
    row[SCORE] = assess(features)[0]
    row[2:_TASK_AT] = _cheap(features)
    row[_TASK_AT + _TASKS.index(features.task)] = 1.0
    if features.vector is not None:
        row[VECTOR] = features.vector
    return row


def _cheap(features: Features) -> tuple[float, ...]:
    return (
        math.log1p(features.question_chars) / 8,
        math.log1p(features.input_tokens) / 8,
        math.log1p(features.turns),
        math.log1p(features.code_marks),
        math.log1p(features.math_marks),
        math.log1p(features.reasoning_words),
        math.log1p(features.constraints),
        math.log1p(features.questions),
        float(features.vector is None),
    )
