"""Equations between numbers that a text claims, and whether they hold. Nothing of the text is ever executed.

Understood are chains (`2 + 3 = 5 = 10 / 2`), brackets, percentages, thousands separators, amounts of money, the usual
signs for times and divided by, and calculations between double angle brackets: `<<48/2=24>>24`. What holds a letter,
an algebraic step say, is no claim about numbers and is passed over.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

MOST_CHARS = 20_000  # of a text that are looked at
_MOST_TOKENS = 64  # of one side: whoever writes longer sums is not followed
_MOST_DEPTH = 8  # of brackets

_ANNOTATED = re.compile(r"<<([^<>\n]{0,400})>>")
_LATEX = re.compile(r"\\(?:times|cdot|div|left|right|[*$%()\[\]])")
_LATEX_MEANS = {r"\times": "*", r"\cdot": "*", r"\div": "/", r"\left": "", r"\right": ""}
_BULLET = re.compile(r"^[ \t]{0,12}[-*\u2013][ \t]{1,8}", re.MULTILINE)  # of a list, and no minus
_REMARK = re.compile(r"\([^()\d\n]{0,80}\)")  # words in brackets, which name what a number counts
_TOKEN = re.compile(
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)"
    r"|(?P<times>[\u00d7*\u00b7\u22c5]|x(?=\s{0,3}[\d.($€£]))|(?P<unknown>x(?![^\W_]))"
    r"|(?P<operator>\*\*|[-+/\u00f7^\u2212\u2013()])|(?P<percent>%)|(?P<skip>[\s$€£]+)|(?P<equals>[=≈])"
    r"|(?P<other>[^\W\d_]+|.)",
    re.IGNORECASE | re.DOTALL,
)
_TIMES, _OVER, _MINUS = "\u00d7\u00b7\u22c5xX", "\u00f7", "\u2212\u2013"  # beside * / and -
_SAME = {**dict.fromkeys(_TIMES, "*"), **dict.fromkeys(_OVER, "/"), **dict.fromkeys(_MINUS, "-"), "**": "^"}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
_OPEN, _CLOSE, _PERCENT, _NEGATIVE = "(", ")", "%", "-"
_UNKNOWN = "?"  # an x that stands for a number: no calculation can be made with it
_LARGEST = 1e15
_HIGHEST_POWER = 12.0
_RELATIVE, _ABOUT = 1e-3, 0.05  # what intermediate rounding may move; what the sign for "about" allows


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
        return any(abs(self.left - meant) <= self._allowed(meant) for meant in (self.right, *self.also))

    def _allowed(self, meant: float) -> float:
        """What is meant as a percentage is a hundred times as large, and so is what rounding moves."""
        return self.tolerance * max(1.0, abs(meant / self.right) if self.right else 1.0)


def equations(text: str) -> tuple[Equation, ...]:
    """What the text's first MOST_CHARS characters claim, in its order and each once. Linear time."""
    looked_at = text[:MOST_CHARS]
    bare = _BULLET.sub("", _REMARK.sub(" ", _LATEX.sub(_plain, _ANNOTATED.sub("", looked_at))))
    found = (_of_line(line) for line in (*_ANNOTATED.findall(looked_at), *bare.splitlines()))
    return tuple(dict.fromkeys(equation for line in found for equation in line))


def numbers(text: str) -> tuple[float, ...]:
    """Every number that the text's first MOST_CHARS characters hold, in order."""
    found = _TOKEN.finditer(text[:MOST_CHARS])
    return tuple(_number(match["number"]).value for match in found if match["number"])


def _plain(latex: re.Match[str]) -> str:
    return _LATEX_MEANS.get(latex[0], latex[0][-1])


def _of_line(line: str) -> Iterator[Equation]:
    if "=" not in line and "≈" not in line:
        return
    sides: list[list[Token | None]] = [[]]
    signs: list[str] = []
    for match in _TOKEN.finditer(line):
        if match["equals"]:
            sides.append([])
            signs.append(match[0])
        elif not match["skip"]:
            sides[-1].append(_read(match))
    for (before, after), sign in zip(pairwise(sides), signs, strict=True):
        equation = _equation(_ending(before), _beginning(after), about=sign == "≈")
        if equation is not None:
            yield equation


def _read(match: re.Match[str]) -> Token | None:
    """None for what is no part of a calculation."""
    if match["number"]:
        return _number(match["number"])
    if match["times"] or match["operator"] or match["percent"]:
        return _SAME.get(match[0], match[0])
    return _UNKNOWN if match["unknown"] else None


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


def _equation(left: Sequence[Token], right: Sequence[Token], *, about: bool) -> Equation | None:
    inputs = tuple(token.value for token in left if isinstance(token, Number))
    if len(inputs) < 2 or not right:  # noqa: PLR2004 - a single number calculates nothing
        return None
    first, second = value(left), value(right)
    if first is None or second is None:
        return None
    shown = [token for token in right if isinstance(token, Number)]
    tolerance = max(1.01 * _finest(right, about=about), (_ABOUT if about else _RELATIVE) * abs(second), 1e-9)
    return Equation(first, second, tolerance, inputs, _also(left, right, shown[0].value))


def _finest(right: Sequence[Token], *, about: bool) -> float:
    """What the last digit stands for; 0 where nothing was rounded: a whole number is what it is."""
    shown = [token for token in right if isinstance(token, Number)]
    per_cent = right[-1] == _PERCENT
    if len(shown) != 1 or not (shown[0].decimals or about or per_cent):
        return 0.0
    return 10.0 ** -(shown[0].decimals + 2 * per_cent)


def _also(left: Sequence[Token], right: Sequence[Token], first: float) -> tuple[float, ...]:
    """A sum that runs on, `6 * 6 = 36 / 12 = 3`, claims its first number; and a share is written as a percentage."""
    runs_on = () if len(right) < 2 or right[0] == _NEGATIVE or right[1] in {"^", _PERCENT} else (first,)  # noqa: PLR2004
    per_cent = (first,) if right[-1] == _PERCENT != left[-1] else ()
    return (*runs_on, *per_cent)


def value(tokens: Sequence[Token]) -> float | None:
    """By operator precedence, left to right; None for what is no calculation, or too large to follow."""
    stacks = _Stacks()
    try:
        for token in tokens:
            stacks.take(token)
        amount = stacks.total()
    except (IndexError, ZeroDivisionError, OverflowError, KeyError, ValueError):
        return None
    return amount if abs(amount) <= _LARGEST else None


@dataclass
class _Stacks:
    """Of the amounts and the operators that wait for their second amount. Raises for what is no calculation."""

    amounts: list[float] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    wants_amount: bool = True

    def take(self, token: Token) -> None:
        if isinstance(token, Number):
            self._expect(wants_amount=True)
            self.amounts.append(token.value)
            self.wants_amount = False
        elif token == _OPEN:
            self._open()
        elif token == _CLOSE:
            self._expect(wants_amount=False)
            while self.pending[-1] != _OPEN:
                self._apply(self.pending.pop())
            self.pending.pop()
        elif token == _PERCENT:
            self._expect(wants_amount=False)
            self.amounts[-1] /= 100
        elif self.wants_amount and token == _NEGATIVE:
            self.amounts.append(-1.0)
            self.pending.append("*")
        else:
            self._expect(wants_amount=False)
            self._operator(token)

    def total(self) -> float:
        while self.pending:
            self._apply(self.pending.pop())
        (amount,) = self.amounts
        return amount

    def _expect(self, *, wants_amount: bool) -> None:
        if self.wants_amount is not wants_amount:
            raise ValueError

    def _open(self) -> None:
        if self.pending.count(_OPEN) == _MOST_DEPTH:
            raise ValueError
        if not self.wants_amount:
            self._operator("*")
        self.pending.append(_OPEN)

    def _operator(self, sign: str) -> None:
        while self.pending and self.pending[-1] != _OPEN and _PRECEDENCE[self.pending[-1]] >= _PRECEDENCE[sign]:
            self._apply(self.pending.pop())
        self.pending.append(sign)
        self.wants_amount = True

    def _apply(self, sign: str) -> None:
        second, first = self.amounts.pop(), self.amounts.pop()
        self.amounts.append(_CALCULATIONS[sign](first, second))


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > _HIGHEST_POWER or (base < 0 and not exponent.is_integer()):
        raise OverflowError
    return float(base**exponent)


_CALCULATIONS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": _power,
}
