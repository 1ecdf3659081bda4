"""Signs on the answer to a question that asks for a number: its result, its arithmetic, and what it made use of."""

import re
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from aico.routing.verifier.arithmetic import Equation, equations, numbers
from aico.routing.verifier.signs import Sign, SignName

_QUESTION_CHARS = 8_000  # of the question, from its end; where the number is asked for
_TAIL_CHARS = 400

_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|old|far|tall|fast|heavy|often)\b|\b(?:calculate|compute|evaluate)\b"
    r"|\bwhat (?:is|was|are|will be|percent(?:age)?|fraction|number)\b[^?\n]{0,80}"
    r"\b(?:total|sum|number|amount|cost|price|average|percent(?:age)?|difference|product|profit|age|ratio|value)\b",
    re.IGNORECASE,
)
_COUNTS = re.compile(
    r"\bhow many (?!(?:more |fewer |less )?(?:hours|minutes|days|weeks|months|years|miles|kilometers"
    r"|pounds|ounces|grams|kilograms|liters|litres|gallons|cups|feet|inches|meters|metres|dollars"
    r"|cents|percent|times|acres|tons))",
    re.IGNORECASE,
)
_MARKED = re.compile(
    r"(?:####|\\boxed\{|\banswer(?: is|:)?\**:?|\bresult is)\s{0,3}[\s*$€£(]{0,6}(-?\d[\d,]{0,20}(?:\.\d{1,12})?)",
    re.IGNORECASE,
)
_LAST_NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3}){1,5}|\d{1,16})(?:\.\d{1,12})?")
_USUAL = frozenset({0, 1, 2, 3, 4, 5, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000})  # of units, halves, percentages
_SPELLED = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TIMES = {
    "once": 1,
    "twice": 2,
    "double": 2,
    "thrice": 3,
    "triple": 3,
    "half": 2,
    "quarter": 4,
    "third": 3,
    "dozen": 12,
}
_WORD = re.compile(r"[a-z]{3,8}", re.IGNORECASE)
_STEP_LOSS = 0.015  # that a step of a calculation is wrong, or one too many
_UNUSED_LOSS = 0.15  # for each number of the question of which no use was made
_FOREIGN_LOSS = 0.08
_CLOSE = 1e-6


def asks_number(question: str) -> bool:
    return _ASKS_NUMBER.search(question[-_QUESTION_CHARS:]) is not None


def calculation_signs(question: str, answer: str, *, asked: bool) -> Iterator[Sign]:
    """`asked`: for a number, so that the answer is to end in one. Linear in what is looked at."""
    question = question[-_QUESTION_CHARS:]
    claims = equations(answer)
    wrong = [claim for claim in claims if not claim.holds]
    if wrong:
        shown = f"{wrong[0].left:g} is said to be {wrong[0].right:g}"
        yield Sign(SignName.WRONG_ARITHMETIC, 0.75, f"wrong arithmetic: {shown}", len(wrong))
    if asked:
        yield from _final_signs(question, final_number(answer), claims)
    yield from _use_signs(question, claims)
    if claims:
        loss = 1 - (1 - _STEP_LOSS) ** len(claims)
        yield Sign(SignName.STEPS, loss, f"{len(claims)} steps of calculation", len(claims))


def final_number(answer: str) -> float | None:
    """The last number that is marked as the answer, or the last number of its last words."""
    tail = answer.rstrip()[-_TAIL_CHARS:]
    marked = _MARKED.findall(tail)
    if marked:
        return float(marked[-1].replace(",", ""))
    found = _LAST_NUMBER.findall(tail.rpartition("\n")[2] if "\n" in tail else tail)
    return float(found[-1].replace(",", "")) if found else None


def _final_signs(question: str, final: float | None, claims: Sequence[Equation]) -> Iterator[Sign]:
    if final is None:
        yield Sign(SignName.NO_FINAL_ANSWER, 0.6, "a number was asked for, and none stands at the end")
        return
    counts = _COUNTS.search(question) is not None
    if counts and not final.is_integer():
        yield Sign(SignName.NOT_WHOLE, 0.7, f"{final:g} of what is counted")
    if final < 0:
        yield Sign(SignName.NEGATIVE, 0.6, f"{final:g} is negative")
    if counts and any(not claim.right.is_integer() for claim in claims):
        yield Sign(SignName.NOT_WHOLE, 0.25, "a count was reached by way of fractions", 0.5)
    results = [meant for claim in claims for meant in (claim.left, claim.right, *claim.also)]
    if results and not any(_close(final, result) for result in results):
        yield Sign(SignName.OTHER_RESULT, 0.35, f"{final:g} is not what any of its steps gives")
    elif claims and not _close(final, claims[-1].right):
        yield Sign(SignName.OTHER_RESULT, 0.1, f"{final:g} is not what its last step gives", 0.5)


def _use_signs(question: str, claims: Sequence[Equation]) -> Iterator[Sign]:
    """What the question says and no step uses; and what the steps use and nothing gave."""
    if not claims:
        return
    given = set(numbers(question))
    used = sorted(number for claim in claims for number in claim.inputs)
    unused = {number for number in given if not any(_among(used, form) for form in _forms(number))} - {0.0, 1.0}
    if unused:
        loss = 1 - (1 - _UNUSED_LOSS) ** len(unused)
        yield Sign(SignName.UNUSED_NUMBERS, loss, f"makes no use of {min(unused):g} from the question", len(unused))
    known = sorted({*given, *_spelled(question), *_USUAL})
    foreign = 0
    for claim in claims:
        foreign += sum(not any(_among(known, origin) for origin in _origins(number)) for number in claim.inputs)
        insort(known, claim.right)
    if foreign:
        loss = 1 - (1 - _FOREIGN_LOSS) ** foreign
        yield Sign(SignName.FOREIGN_NUMBERS, loss, f"calculates with {foreign} numbers that nothing gave", foreign)


def _spelled(question: str) -> Iterator[float]:
    for word in _WORD.findall(question.lower()):
        if word in _SPELLED:
            yield float(_SPELLED.index(word))
        elif word in _TIMES:
            yield float(_TIMES[word])


def _forms(given: float) -> Sequence[float]:
    """In which it may be used: as it stands, as a share of a hundred, or what such a share leaves or makes."""
    share = given / 100
    return given, share, 1 - share, 1 + share, 100 - given, 100 + given


def _origins(used: float) -> Sequence[float]:
    """Those of which it is a form."""
    return used, 100 * used, 100 - 100 * used, 100 * used - 100, 100 - used, used - 100


def _among(ascending: Sequence[float], wanted: float) -> bool:
    """O(log n): texts may hold thousands of numbers."""
    at = bisect_left(ascending, wanted)
    return any(_close(one, wanted) for one in ascending[max(0, at - 1) : at + 1])


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= _CLOSE * max(1.0, abs(one))
