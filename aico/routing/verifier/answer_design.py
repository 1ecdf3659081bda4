"""The numbers that the learned verifier sees of a draft, behind those of its prompt."""

import math
import re

import numpy as np

from aico.core.chat import Choice
from aico.routing.learner.design import DESIGN, Design
from aico.routing.learner.design import DIMENSIONS as OF_PROMPT
from aico.routing.verifier.arithmetic import MOST_CHARS, numbers
from aico.routing.verifier.signs import SignName
from aico.routing.verifier.verifier import Verification

# Statistics are sums over these numbers: those of another design mean something else and are of no use.
ANSWER_DESIGN = f"{DESIGN}/answer-1"

_SIGNS = tuple(SignName)
_SHAPE = 9
LOSS = OF_PROMPT  # where the loss that needs no history stands
_SIGNS_AT = LOSS + 1 + _SHAPE
DIMENSIONS = _SIGNS_AT + len(_SIGNS)
_WORD = re.compile(r"[^\W\d_]{3,20}")


def answer_design(prompt: Design, question: str, answer: Choice, seen: Verification) -> Design:
    """Shape (DIMENSIONS,). `prompt` is the design vector of the prompt alone."""
    row = np.zeros(DIMENSIONS, dtype=np.float32)
    row[:OF_PROMPT] = prompt
    row[LOSS] = seen.loss
    row[LOSS + 1 : _SIGNS_AT] = _shape(question[-MOST_CHARS:], answer.text)
    for sign in seen.signs:
        row[_SIGNS_AT + _SIGNS.index(sign.name)] = math.log1p(sign.amount)
    return row


def _shape(question: str, answer: str) -> tuple[float, ...]:
    looked_at = answer[:MOST_CHARS]
    asked, said = set(_WORD.findall(question.lower())), set(_WORD.findall(looked_at.lower()))
    given, shown = set(numbers(question)), numbers(looked_at)
    fractions = sum(not number.is_integer() for number in shown)
    return (
        math.log1p(len(answer)) / 8,
        math.log1p(len(answer)) / 8 - math.log1p(len(question)) / 8,
        math.log1p(looked_at.count("\n")) / 4,
        math.log1p(len(shown)) / 4,
        math.log1p(len(given)) / 4,
        math.log1p(fractions) / 4,
        len(given & set(shown)) / max(1, len(given)),
        len(asked & said) / max(1, len(asked)),
        len(said - asked) / max(1, len(said)),
    )
