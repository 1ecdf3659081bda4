"""What can be seen on an answer that speaks against it."""

from dataclasses import dataclass
from enum import StrEnum


class SignName(StrEnum):
    EMPTY = "empty"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    BREAKS_OFF = "breaks_off"
    NO_FINAL_ANSWER = "no_final_answer"
    WRONG_ARITHMETIC = "wrong_arithmetic"
    NOT_WHOLE = "not_whole"
    NEGATIVE = "negative"
    OTHER_RESULT = "other_result"
    UNUSED_NUMBERS = "unused_numbers"
    FOREIGN_NUMBERS = "foreign_numbers"
    STEPS = "steps"
    NOT_JSON = "not_json"
    AGAINST_SCHEMA = "against_schema"
    NO_TOOL_CALL = "no_tool_call"
    BAD_TOOL_CALL = "bad_tool_call"
    HEDGES = "hedges"
    REPEATS = "repeats"
    OTHER_LANGUAGE = "other_language"
    OPEN_FENCE = "open_fence"
    NO_CODE = "no_code"
    BAD_CODE = "bad_code"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"


@dataclass(frozen=True)
class Sign:
    """`loss` is the probability in 0..1 that this alone makes the answer not good enough."""

    name: SignName
    loss: float
    reason: str
    amount: float = 1.0  # how much of it was seen
