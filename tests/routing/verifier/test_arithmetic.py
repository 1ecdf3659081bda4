"""Equations that a text claims: which are understood, which hold, and how much is looked at."""

from collections.abc import Iterator

import pytest

from aico.routing.verifier import arithmetic
from aico.routing.verifier.arithmetic import Equation, equations, numbers


def held(text: str) -> list[bool]:
    return [equation.holds for equation in equations(text)]


@pytest.mark.parametrize(
    "text",
    [
        "2 + 3 = 5",
        "So 2 + 3 = 5 = 10 / 2 in all.",
        "40 * 20 = <<40*20=800>>800 sheep",
        "(15 - (4/5 * 15)) * 2 = 6",
        "1,200 \\times 3 = $3,600",
        "12 \u00d7 4 \u00f7 2 = 24",
        "7 \u2212 9 = -2",
        "10 / 3 = 3.33",
        "40 * 20% = 8",
        "20 / 80 * 100 = 25%",
        "20 / 80 = 25%",
        "6 * 6 = 36 / 12 = 3",
        "20 (Toulouse) + 80 (Charleston) = 100",
        "2(3 + 4) = 14",
        "10 * 2^5 = 320",
        "x = 60 / 3 = 20",
        "-3 + 5 = 2",
        "8 / -2 / 2 = -2",
        "- 20 + 30 = 50\n- 20 * 4 = 80\n  * 2 + 2 = 4",
        "100 / 7 \u2248 14",
        "1234 / 7 \u2248 180",
        "2 / 3 = 67%",
        "20 / 30 * 100 = 67%",
        "1 / 3 = 33.3%",
        "-2 * -3 = 6",
        "12 x 4 = 48, 3 x $5 = $15",
        "3 X (4 + 1) = 15",
    ],
)
def test_what_is_right_holds(text: str) -> None:
    assert held(text)
    assert all(held(text))


@pytest.mark.parametrize(
    "text",
    [
        "2 + 3 = 6",
        "So 2 + 3 = 10 / 3 in all.",
        "0.40 * 9 * 1040 = $<<0.40*9*1040=3760>>3760",
        "15 - (4/5 * 15) = 9",
        "1,200 * 3 = 3,800",
        "10 / 3 = 3.5",
        "6 * 6 = 38 / 12 = 3",
        "2^5 = 64",
        "- 20 + 30 = 60",
        "100 / 7 \u2248 20",
        "100 / 7 = 14",
        "2 / 3 = 60%",
        "20 / 30 * 100 = 60%",
    ],
)
def test_what_is_wrong_does_not(text: str) -> None:
    assert False in held(text)


@pytest.mark.parametrize(
    "text",
    [
        "2x + 20 = 60",
        "5x - 2 = 13",
        "5 * x - 2 = 13",
        "9 - 2x - 3 = 4",
        "15 + 6 = 3x",
        "2 + 4 = 3x - 3",
        "3x(x + 1) - 2 = 4",
        "y = 3 + 2x",
        "the answer = 5",
        "a == b",
        "key=value; other=1",
        "= = =",
        "1 + = 2",
        "1 / 0 = 5",
        "2 ^ 99999 = 1",
        "(" * 60 + "1 + 1" + ")" * 60 + " = 3",
        "",
    ],
)
def test_what_is_no_claim_about_numbers_is_passed_over(text: str) -> None:
    assert held(text) == []


def test_numbers_are_read_with_their_separators() -> None:
    assert numbers("$1,234.50 for 3 of 12,000, or .5 each") == (1234.5, 3, 12000, 0.5)


@pytest.mark.parametrize("piece", ["1+", "(", "<<", "1=", "9" * 50 + "+", "1,", "<<1+1=3", "%", "\\times"])
def test_of_a_long_text_only_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch, piece: str) -> None:
    read: list[int] = []
    plain = arithmetic._of_line

    def of_line(line: str) -> Iterator[Equation]:
        read.append(len(line))
        return plain(line)

    monkeypatch.setattr(arithmetic, "_of_line", of_line)
    equations(piece * 2_000_000)
    assert sum(read) <= 2 * arithmetic.MOST_CHARS


@pytest.mark.parametrize("sides", [2, 50, 5_000])
def test_a_chain_costs_no_more_than_its_tokens(monkeypatch: pytest.MonkeyPatch, sides: int) -> None:
    taken = 0
    plain = arithmetic._Stacks.take

    def take(self: arithmetic._Stacks, token: arithmetic.Token) -> None:
        nonlocal taken
        taken += 1
        plain(self, token)

    monkeypatch.setattr(arithmetic._Stacks, "take", take)
    equations("=".join(["1+1"] * sides))
    assert 0 < taken <= 2 * 3 * min(sides, arithmetic.MOST_CHARS // 4 + 1)
