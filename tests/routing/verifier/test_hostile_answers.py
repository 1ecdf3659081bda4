"""Callers and models choose the texts: whatever they choose, the work is bounded, and nothing of it is run."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aico.core.chat import ChatRequest, Choice, FinishReason, JsonSchema, Message, Role
from aico.routing.features import extract_features
from aico.routing.verifier import calculation, schema, structure, words
from aico.routing.verifier.schema import MOST_STEPS, Comparison, violation
from aico.routing.verifier.signs import SignName
from aico.routing.verifier.verifier import Verification, verify

SHORT, LONG = 50_000, 2_000_000  # characters; where a text is looked at whole, the long one takes 40 times as much
PIECES = [
    "I cannot ", "as an AI ", "````", "```python\n", "```\n", "(A) ", "A ", "\n\n", "<<", "#### -", "answer is ",
    "\\boxed{", "1,1", "…", "日本", "\\", "how many ", "write a ", "\x00", "\u202e", " " * 99 + "x", "{", "[", "\ud800",
]  # fmt: skip


def seen(question: str, text: str, **rest: Any) -> Verification:
    request = ChatRequest(messages=(Message(role=Role.USER, content=question),), **rest)
    answer = Choice.model_construct(text=text, finish_reason=FinishReason.STOP, tool_calls=(), refused=False)
    return verify(request, answer, extract_features(request))


class Counting(str):
    """A text that says how much of it was taken in slices."""

    __slots__ = ()
    taken = 0

    def __getitem__(self, key: Any) -> str:
        piece = super().__getitem__(key)
        Counting.taken += len(piece)
        return piece


@pytest.mark.parametrize("piece", PIECES)
def test_any_long_text_has_a_loss(piece: str) -> None:
    for question in ("How many?", "Write a function.", "Which?\n(A) x\n(B) y\n(C) z"):
        assert 0 <= seen(question, piece * (SHORT // len(piece))).loss <= 1


@pytest.mark.parametrize("piece", ["I cannot ", "1+1=3 ", "the die le "])
def test_of_a_long_answer_no_more_is_looked_at_than_of_a_shorter_one(piece: str) -> None:
    taken = []
    for size in (SHORT, LONG):
        Counting.taken = 0
        list(words.word_signs("How many?", Counting(piece * (size // len(piece)))))
        taken.append(Counting.taken)
    assert taken[0] > 0
    assert abs(taken[1] - taken[0]) <= 2 * len(piece)


def test_numbers_are_looked_up_and_not_compared_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    plain = calculation._close

    def close(one: float, other: float) -> bool:
        nonlocal compared
        compared += 1
        return plain(one, other)

    monkeypatch.setattr(calculation, "_close", close)
    question = "How many? " + " ".join(str(number) for number in range(1_000, 2_500))
    answer = "\n".join(f"{number}+{number + 7}={2 * number + 7}" for number in range(2_600, 3_600))
    found = {sign.name for sign in seen(question, answer).signs}
    assert {SignName.UNUSED_NUMBERS, SignName.FOREIGN_NUMBERS} <= found
    assert 0 < compared < 60_000


def test_deep_and_long_json_is_answered_for() -> None:
    for text in ("[" * LONG, '{"a":' * 100_000, "9" * LONG, '"' + "\\" * LONG, "[" * 400_000 + "]" * 400_000):
        assert seen("Who?", text[:490_000], response_format="json_object").loss > 0.9
    assert seen("Who?", "9" * LONG, response_format="json_object").loss < 0.2  # too long to look at


def test_a_whole_number_of_any_length_is_read_in_linear_time() -> None:
    answer = '{"age": ' + "9" * 400_000 + "}"
    assert seen("Who?", answer, response_format="json_object").signs == ()


def test_no_code_of_an_answer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    plain = structure._parses

    def parses(code: str) -> bool:
        parsed.append(code)
        return plain(code)

    monkeypatch.setattr(structure, "_parses", parses)
    text = "```python\nraise SystemExit\n```\n" * 100
    assert SignName.BAD_CODE not in {sign.name for sign in seen("Write a program.", text).signs}
    assert len(parsed) == 8


@pytest.mark.parametrize(
    "code", ["(" * 9_000, "-" * 9_000 + "1", "a" + ".b" * 4_000, "'\\d' \\\n", "\x00", "lambda: " * 1_000]
)
def test_code_that_is_hard_to_parse_is_no_failure(code: str) -> None:
    assert structure._parses(code) in {True, False}


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        found = {"anyOf": [found, found]}
    return found


def hostile_schemas() -> Iterator[tuple[dict[str, Any], Any]]:
    yield {"$ref": "#"}, 1
    yield {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}}, 1
    yield deep(30), "x"
    yield {"items": {"anyOf": [{"type": "integer"}] * 50}}, ["x"] * 5_000
    yield {"enum": "x", "required": 5, "properties": [], "type": 5, "minLength": "x", "anyOf": {}, "items": 7}, {"a": 1}
    yield {"pattern": "(a+)+$", "type": "string"}, "a" * 5_000 + "!"
    yield {"$ref": "https://example.com/schema"}, 1


@pytest.mark.parametrize(("hostile", "value"), list(hostile_schemas()), ids=range(7))
def test_whatever_the_schema_the_comparison_ends(hostile: dict[str, Any], value: object) -> None:
    comparison = Comparison(hostile)
    list(comparison.violations(value, hostile, "it", 0))
    assert 0 < comparison.steps <= 2 * MOST_STEPS


class Entries(list[Any]):
    """A list that says how many of its entries were read."""

    read = 0

    def __iter__(self) -> Iterator[Any]:
        for one in super().__iter__():
            Entries.read += 1
            yield one


@pytest.mark.parametrize(
    ("listed", "value"),
    [
        ({"enum": Entries(range(5_000))}, 4_999),
        ({"type": Entries(["string"] * 5_000 + ["integer"])}, 1),
        ({"required": Entries(["a"] * 5_000)}, {"a": 1}),
        ({"$ref": Counting("#/" + "a/" * 50_000)}, 1),
    ],
    ids=["enum", "type", "required", "reference"],
)
def test_what_a_schema_lists_counts_as_work_each_time_that_it_is_looked_through(
    listed: dict[str, Any], value: object
) -> None:
    Entries.read = Counting.taken = 0
    assert violation([value] * 2_000, {"items": listed}) is None
    assert 0 < Entries.read + Counting.taken <= 40 * MOST_STEPS


def test_a_schema_of_a_request_is_compared_within_its_bound() -> None:
    answer = json.dumps({"a": [{"b": 1}] * 20_000})
    wanted = {"properties": {"a": {"items": {"properties": {"b": {"type": "string"}}}}}}
    found = seen("Who?", answer, response_format="json_schema", json_schema=JsonSchema(schema_=wanted))
    assert found.reasons == ("against the schema: the answer.a[0].b is not of type string",)
    assert violation([1] * (MOST_STEPS + 5) + ["x"], {"items": {"type": "integer"}}) is None
    assert schema.MOST_STEPS == MOST_STEPS
