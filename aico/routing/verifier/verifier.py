"""How probable it is that a draft is not good enough, by what can be seen on it. Knows no history of outcomes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from aico.core.chat import ChatRequest, Choice
from aico.routing.features import Features, TaskType
from aico.routing.learner.design import Design
from aico.routing.verifier.calculation import asks_number, calculation_signs
from aico.routing.verifier.signs import Sign
from aico.routing.verifier.structure import structure_signs
from aico.routing.verifier.words import ending_signs, word_signs

USUAL_LOSS = 0.1  # of a draft on which nothing is to be seen
_WORTH_SAYING = 0.1
_NO_CALCULATION = {TaskType.CODE, TaskType.CHOICE, TaskType.CREATE, TaskType.TRANSFORM}


@dataclass(frozen=True)
class Verification:
    """`loss` is the expected probability in 0..1 that the answer is not good enough."""

    loss: float
    reasons: tuple[str, ...]  # the heaviest first
    signs: tuple[Sign, ...] = ()
    numbers: Design | None = field(default=None, compare=False, repr=False)  # answer_design, where it was made


def verify(request: ChatRequest, answer: Choice, features: Features, usual_loss: float = USUAL_LOSS) -> Verification:
    """Signs are taken as independent of each other: loss = 1 - (1 - usual) * product of (1 - loss of each sign).

    `usual_loss` in 0..1 is that of a draft of this model, for this prompt, on which nothing is to be seen.
    """
    signs = tuple(sorted(_signs(request, answer, features), key=lambda sign: -sign.loss))
    kept = math.prod(1 - sign.loss for sign in signs)
    told = tuple(sign.reason for sign in signs if sign.loss >= _WORTH_SAYING)
    return Verification(1 - (1 - usual_loss) * kept, told, signs)


def _signs(request: ChatRequest, answer: Choice, features: Features) -> Iterator[Sign]:
    question, text = request.last_user_turn, answer.text
    yield from ending_signs(answer)
    yield from structure_signs(request, answer, features.task)
    if not text.strip() or answer.tool_calls or request.response_format != "text":
        return
    yield from word_signs(question, text)
    if features.task not in _NO_CALCULATION:
        yield from calculation_signs(question, text, asked=asks_number(question))
