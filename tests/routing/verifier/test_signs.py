"""Each sign on an answer, where it is to be seen and where it is not."""

from collections.abc import Mapping
from typing import Any

import pytest

from aico.core.chat import ChatRequest, Choice, FinishReason, JsonSchema, Message, Role, Tool, ToolCall, ToolChoice
from aico.routing.features import extract_features
from aico.routing.verifier.signs import SignName
from aico.routing.verifier.verifier import Verification, verify

SHEEP = "Ann has 20 sheep and Ben has 4 times as many. How many sheep do they have together?"
PARTS = "Which is a mammal?\n(A) Trout\n(B) Bat\n(C) Frog\n(D) Hen"
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 0}, "name": {"$ref": "#/$defs/name"}},
    "required": ["age"],
    "additionalProperties": False,
    "$defs": {"name": {"type": "string", "maxLength": 5}},
}
WEATHER = Tool(name="weather", parameters={"type": "object", "required": ["city"], "properties": {}})


def seen(question: str, text: str = "", finish: FinishReason = FinishReason.STOP, **rest: Any) -> Verification:
    answering = {name: rest.pop(name) for name in ("tool_calls", "refused") if name in rest}
    request = ChatRequest(messages=(Message(role=Role.USER, content=question),), **rest)
    answer = Choice(text=text, finish_reason=finish, **answering)
    return verify(request, answer, extract_features(request))


def names(question: str, text: str = "", **rest: Any) -> set[SignName]:
    return {sign.name for sign in seen(question, text, **rest).signs}


RUSSIAN = "Столица Франции — Париж, город на Сене."
GERMAN = "Die Hauptstadt ist Paris und die Stadt ist nicht ohne Reiz für den, der auf das Leben wartet."
CAPITAL = "What is the capital of France and how is it to live in that city?"
ADD = "Write a function in Python that adds"
GOOD = "Ben has 20 * 4 = 80 sheep. Together they have 20 + 80 = 100 sheep."
FENCED = "```python\ndef add(a, b):\n    return a + b\n```"
PROSE = "Bats are the only mammals that fly, and they find their way by sound when it is dark."


@pytest.mark.parametrize(
    ("sign", "question", "bad", "good"),
    [
        (SignName.EMPTY, "Hello", "  ", "Hi."),
        (SignName.REFUSED, "Tell me of locks", "I'm sorry, but I can't help with that.", "They have pins."),
        (SignName.BREAKS_OFF, SHEEP, "Ben has 20 * 4 = 80 sheep and 20 +", GOOD),
        (SignName.BREAKS_OFF, "Why?", "It is dark because", "It is dark because the sun has set."),
        (SignName.NO_FINAL_ANSWER, SHEEP, "They have many sheep.", GOOD),
        (SignName.NO_FINAL_ANSWER, PARTS, "Mammals are warm-blooded.", "The answer is (B)."),
        (SignName.NO_FINAL_ANSWER, PARTS, "It is one of them.", "That would be the bat, of course: bat"),
        (SignName.WRONG_ARITHMETIC, SHEEP, "20 * 4 = 90. Together 20 + 90 = 110", GOOD),
        (SignName.NOT_WHOLE, SHEEP, "20 * 4 = 80, and 80 / 3 = 26.67 sheep", GOOD),
        (SignName.NEGATIVE, SHEEP, "20 * 4 = 80, and 20 - 80 = -60", GOOD),
        (SignName.OTHER_RESULT, SHEEP, "20 * 4 = 80 and 20 + 80 = 100.\n#### 77", "20 + 80 = 100.\n#### 100"),
        (SignName.UNUSED_NUMBERS, SHEEP, "Ben has 4 + 1 = 5.", GOOD),
        (SignName.FOREIGN_NUMBERS, SHEEP, "20 * 4 = 80 and 80 + 20 + 77 = 177.", GOOD),
        (SignName.STEPS, SHEEP, GOOD, "They have 100."),
        (SignName.HEDGES, "Who won?", "I'm not sure, but it may be Ann.", "Ann won."),
        (SignName.HEDGES, "Who won?", "As an AI, I have no opinion.", "Ann won."),
        (SignName.REPEATS, "Describe a bat", "Bats fly at night. " * 200, PROSE),
        (SignName.OTHER_LANGUAGE, CAPITAL, RUSSIAN, PROSE),
        (SignName.OTHER_LANGUAGE, CAPITAL, GERMAN, PROSE),
        (SignName.OPEN_FENCE, ADD, "```python\ndef add(a, b): return a + b", FENCED),
        (SignName.BAD_CODE, ADD, "```python\ndef add(a, b:\n    return\n```", FENCED),
        (SignName.NO_CODE, ADD, "You take the one and the other together.", FENCED),
        (SignName.TOO_SHORT, "Explain in detail how bats find their way.", "By sound.", PROSE),
        (SignName.TOO_LONG, "Is a bat a bird? Answer yes or no.", PROSE * 10, "No."),
    ],
)  # fmt: skip
def test_a_sign_is_seen_where_it_is_and_not_where_it_is_not(sign: SignName, question: str, bad: str, good: str) -> None:
    assert sign in names(question, bad)
    assert sign not in names(question, good)


def test_a_translation_may_be_in_another_script() -> None:
    asked = "Translate into Russian: the capital of France is Paris, a city on the Seine."
    assert SignName.OTHER_LANGUAGE not in names(asked, RUSSIAN)


def test_what_was_cut_off_or_declined_says_so_itself() -> None:
    assert SignName.TRUNCATED in names("Why?", "It is", finish=FinishReason.LENGTH)
    assert SignName.REFUSED in names("Why?", "No.", refused=True)
    assert SignName.REFUSED in names("Why?", "", finish=FinishReason.CONTENT_FILTER)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ('{"age": 4}', None),
        ('{"age": 4.0, "name": "Ann"}', None),
        ('{"age": 4', SignName.NOT_JSON),
        ("Here you are: {}", SignName.NOT_JSON),
        ('{"age": NaN}', SignName.NOT_JSON),
        ('{"age": "4"}', SignName.AGAINST_SCHEMA),
        ('{"age": true}', SignName.AGAINST_SCHEMA),
        ('{"age": -1}', SignName.AGAINST_SCHEMA),
        ("{}", SignName.AGAINST_SCHEMA),
        ('{"age": 4, "more": 1}', SignName.AGAINST_SCHEMA),
        ('{"age": 4, "name": "Annabel"}', SignName.AGAINST_SCHEMA),
        ("[]", SignName.AGAINST_SCHEMA),
    ],
)
def test_json_follows_its_schema(text: str, sign: SignName | None) -> None:
    found = names("Who?", text, response_format="json_schema", json_schema=JsonSchema(schema_=SCHEMA))
    assert found == ({sign} if sign else set())


def test_a_json_object_is_an_object() -> None:
    assert names("Who?", '{"a": 1}', response_format="json_object") == set()
    assert names("Who?", "[1]", response_format="json_object") == {SignName.NOT_JSON}


@pytest.mark.parametrize(
    ("arguments", "name", "sign"),
    [
        ('{"city": "Rome"}', "weather", None),
        ("{}", "weather", SignName.BAD_TOOL_CALL),
        ('{"city":', "weather", SignName.BAD_TOOL_CALL),
        ("[]", "weather", SignName.BAD_TOOL_CALL),
        ("{}", "wether", SignName.BAD_TOOL_CALL),
    ],
)
def test_a_call_names_a_tool_and_gives_what_it_needs(arguments: str, name: str, sign: SignName | None) -> None:
    call = ToolCall(id="1", name=name, arguments=arguments)
    found = names("Weather?", tools=(WEATHER,), tool_calls=(call,), finish=FinishReason.TOOL_CALLS)
    assert found == ({sign} if sign else set())


def test_a_call_that_is_required_is_missed() -> None:
    required = ToolChoice(mode="required")
    assert SignName.NO_TOOL_CALL in names("Weather?", "It is fine.", tools=(WEATHER,), tool_choice=required)
    assert SignName.NO_TOOL_CALL not in names("Weather?", "It is fine.", tools=(WEATHER,))
    other = ToolCall(id="1", name="weather", arguments='{"city": "Rome"}')
    one = ToolChoice(mode="one", name="clock")
    assert SignName.BAD_TOOL_CALL in names("Now?", tools=(WEATHER,), tool_choice=one, tool_calls=(other,))


def test_losses_add_up_and_the_heaviest_is_told_first() -> None:
    plain = seen("Who won?", "Ann won.")
    assert plain.loss == pytest.approx(0.1)
    assert plain.reasons == ()
    doubted = seen("Who won?", "I'm not sure, but Ann and")
    assert doubted.loss == pytest.approx(1 - 0.9 * 0.5 * 0.3)
    assert doubted.reasons[0] == "the answer ends in the middle"
