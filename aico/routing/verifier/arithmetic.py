"""Equations between numbers that a text claims, and whether they hold. Nothing of the text is ever executed.

Understood are chains (`2 + 3 = 5 = 10 / 2`), brackets, percentages, thousands separators, amounts of money, the usual
signs for times and divided by, and calculations between double angle brackets: `<<48/2=24>>24`. What holds a letter,
an algebraic step say, is no claim about numbers and is passed over.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_CHARS = 20_000  # of a text that are looked at
_MOST_TOKENS = 64  # of one side: whoever writes longer sums is not followed
_MOST_DEPTH = 8  # of brackets

_ANNOTATED = re.compile(r"<<([^<>\n]{0,400})>>")
_LATEX = re.compile(r"\\(?:times|cdot|div|left|right|[*$%()\[\]])")
_LATEX_MEANS = {r"\times": "*", r"\cdot": "*", r"\div": "/", r"\left": "", r"\right": ""}
_REMARK = re.compile(r"\([^()\d\n]{0,80}\)")  # words in brackets, which name what a number counts
_TOKEN = re.compile(
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)"
    r"|(?P<times>[x×*·⋅])|(?P<operator>\*\*|[-+/÷^−–()])|(?P<percent>%)|(?P<skip>[\s$€£]+)|(?P<equals>[=≈])"
    r"|(?P<other>[^\W\d_]+|.)",
    re.IGNORECASE | re.DOTALL,
)
_SAME = {"×": "*", "·": "*", "⋅": "*", "x": "*", "X": "*", "÷": "/", "−": "-", "–": "-", "**": "^"}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
_LARGEST = 1e15
_HIGHEST_POWER = 12.0
_RELATIVE = 1e-3  # what intermediate rounding may move


@dataclass(frozen=True)
class Number:
    value: float
    decimals: int = 0


Token = Number | str  # a str is an operator or a bracket


@dataclass(frozen=True)
class Equation:
    left: float
    right: float
    tolerance: float
    inputs: tuple[float, ...]  # numbers that the left side is made of
    also: tuple[float, ...] = ()  # what the right side may mean as well, in the way people write

    @property
    def holds(self) -> bool:
        return any(abs(self.left - meant) <= self.tolerance for meant in (self.right, *self.also))


def equations(text: str) -> tuple[Equation, ...]:
    """What the text's first MOST_CHARS characters claim, in its order and each once. Linear time."""
    looked_at = text[:MOST_CHARS]
    bare = _REMARK.sub(" ", _LATEX.sub(_plain, _ANNOTATED.sub("", looked_at)))
    found = (_of_line(line) for line in (*_ANNOTATED.findall(looked_at), *bare.splitlines()))
    return tuple(dict.fromkeys(equation for line in found for equation in line))


def numbers(text: str) -> tuple[float, ...]:
    """Every number that the text's first MOST_CHARS characters hold, in order."""
    found = (_TOKEN.finditer(text[:MOST_CHARS]))
    return tuple(_number(match["number"]).value for match in found if match["number"])


def _plain(latex: re.Match[str]) -> str:
    return _LATEX_MEANS.get(latex[0], latex[0][-1])


def _of_line(line: str) -> Iterator[Equation]:
    if "=" not in line and "≈" not in line:
        return
    sides: list[list[Token | None]] = [[]]
    for match in _TOKEN.finditer(line):
        if match["equals"]:
            sides.append([])
        elif not match["skip"]:
            sides[-1].append(_read(match))
    for before, after in zip(sides, sides[1:], strict=False):
        equation = _equation(_ending(before), _beginning(after))
        if equation is not None:
            yield equation


def _read(match: re.Match[str]) -> Token | None:
    """None for what is no part of a calculation."""
    if match["number"]:
        return _number(match["number"])
    if match["times"] or match["operator"] or match["percent"]:
        return _SAME.get(match[0], match[0])
    return None


def _number(written: str) -> Number:
    digits = written.replace(",", "")[:30]
    return Number(float(digits), len(digits.partition(".")[2]))


def _ending(side: Sequence[Token | None]) -> Sequence[Token]:
    """The calculation that stands right before the sign of equality; nothing where a word or a letter does."""
    taken: list[Token] = []
    for token in reversed(side):
        if token is None or len(taken) == _MOST_TOKENS:
            return [] if token is None and taken and not isinstance(taken[-1], Number) else taken[::-1]
        taken.append(token)
    return taken[::-1]


def _beginning(side: Sequence[Token | None]) -> Sequence[Token]:
    """The calculation that starts there; nothing where a letter follows, so that `= 3x` claims nothing."""
    taken: list[Token] = []
    for token in side:
        if token is None or len(taken) == _MOST_TOKENS:
            break
        taken.append(token)
    while taken and taken[-1] in {"*", "(", "/", "+", "-"}:
        taken.pop()
    return taken


def _equation(left: Sequence[Token], right: Sequence[Token]) -> Equation | None:
    inputs = tuple(token.value for token in left if isinstance(token, Number))
    if len(inputs) < 2 or not right:  # noqa: PLR2004 - a single number calculates nothing
        return None
    first, second = value(left), value(right)
    if first is None or second is None:
        return None
    shown = [token for token in right if isinstance(token, Number)]
    finest = 10.0 ** -shown[-1].decimals if len(shown) == 1 and shown[-1].decimals else 0.0
    tolerance = max(1.01 * finest, _RELATIVE * abs(second), 1e-9)
    return Equation(first, second, tolerance, inputs, _also(left, right, shown[0].value))


def _also(left: Sequence[Token], right: Sequence[Token], first: float) -> tuple[float, ...]:
    """A sum that runs on, `6 * 6 = 36 / 12 = 3`, claims its first number; and a share is written as a percentage."""
    runs_on = () if len(right) < 2 or right[0] == "-" or right[1] in {"^", "%"} else (first,)  # noqa: PLR2004
    per_cent = (first,) if right[-1] == "%" and left[-1] != "%" else ()
    return (*runs_on, *per_cent)


def value(tokens: Sequence[Token]) -> float | None:
    """By operator precedence, left to right; None for what is no calculation, or too large to follow."""
    amounts: list[float] = []
    pending: list[str] = []
    wants_amount, depth = True, 0
    try:
        for token in tokens:
            if isinstance(token, Number):
                if not wants_amount:
                    return None
                amounts.append(token.value)
                wants_amount = False
            elif token == "(":
                depth += 1
                if depth > _MOST_DEPTH:
                    return None
                if not wants_amount:
                    _push(amounts, pending, "*")
                pending.append("(")
                wants_amount = True
            elif token == ")":
                depth -= 1
                while pending[-1] != "(":
                    _apply(amounts, pending.pop())
                pending.pop()
            elif token == "%":
                amounts[-1] /= 100
            elif wants_amount and token == "-":
                amounts.append(0.0)
                pending.append("-")
            elif wants_amount:
                return None
            else:
                _push(amounts, pending, token)
                wants_amount = True
        while pending:
            _apply(amounts, pending.pop())
    except (IndexError, ZeroDivisionError, OverflowError, KeyError, ValueError):
        return None
    return amounts[0] if len(amounts) == 1 and abs(amounts[0]) <= _LARGEST else None


def _push(amounts: list[float], pending: list[str], operator: str) -> None:
    while pending and pending[-1] != "(" and _PRECEDENCE[pending[-1]] >= _PRECEDENCE[operator]:
        _apply(amounts, pending.pop())
    pending.append(operator)


def _apply(amounts: list[float], operator: str) -> None:
    second, first = amounts.pop(), amounts.pop()
    if operator == "+":
        amounts.append(first + second)
    elif operator == "-":
        amounts.append(first - second)
    elif operator == "*":
        amounts.append(first * second)
    elif operator == "/":
        amounts.append(first / second)
    elif abs(second) <= _HIGHEST_POWER:
        amounts.append(float(first) ** second)
    else:
        raise OverflowError("too high a power")
