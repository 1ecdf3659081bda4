"""How demanding a prompt looks: a sum of parts that each say why they are there.

Length leads because on published outcome tables it ranks prompts by what a stronger model gains better than any list of
words does; words then tell apart prompts of one length.
"""

import math
from dataclasses import dataclass

from aico.routing.features import Features

_SHORT_CHARS, _LONG_CHARS = 32, 2048  # where the part for length starts and ends; between them it is logarithmic


@dataclass(frozen=True)
class Part:
    points: float
    reason: str


def assess(features: Features) -> tuple[float, tuple[Part, ...]]:
    """The score in 0..1 and the parts that it is the sum of, largest first. No part falls as its feature grows."""
    span = math.log2(_LONG_CHARS) - math.log2(_SHORT_CHARS)
    length = _unit((math.log2(max(1, features.question_chars)) - math.log2(_SHORT_CHARS)) / span)
    parts = (
        Part(0.76 * length, f"length: {features.question_chars} characters"),
        Part(0.10 * _unit(features.code_marks / 2), f"code: {features.code_marks} signs"),
        Part(0.02 * _unit(features.math_marks), f"mathematics: {features.math_marks} signs"),
        Part(0.05 * _unit(features.reasoning_words / 6), f"reasoning: {features.reasoning_words} words"),
        Part(0.05 * _unit(features.constraints / 6), f"constraints: {features.constraints}"),
        Part(0.01 * _unit((features.questions - 1) / 3), f"questions: {features.questions}"),
        Part(0.01 * _unit((features.turns - 1) / 8), f"conversation: {features.turns} turns"),
    )
    present = sorted((part for part in parts if part.points > 0), key=lambda part: -part.points)
    return min(1.0, math.fsum(part.points for part in present)), tuple(present)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
