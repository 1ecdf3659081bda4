"""The numbers of a draft as they are kept: those of the answer as float16, as those of the prompt are kept anyway."""

import numpy as np

from aico.routing.learner.design import DIMENSIONS as OF_PROMPT
from aico.routing.learner.design import Design
from aico.routing.verifier.answer_design import ANSWER_DESIGN, DIMENSIONS

_OF_ANSWER = DIMENSIONS - OF_PROMPT


def kept_answer(row: Design) -> bytes:
    """The answer's numbers of an answer_design, little end first."""
    return row[OF_PROMPT:].astype("<f2").tobytes()


def restored_draft(name: str, data: bytes, prompt: Design) -> Design | None:
    """The answer_design of which `data` was kept, but for rounding. None: of another design, or damaged."""
    if name != ANSWER_DESIGN or len(data) != 2 * _OF_ANSWER:
        return None
    row = np.concatenate([prompt, np.frombuffer(data, "<f2").astype(np.float32)])
    return row if np.isfinite(row).all() else None
