import asyncio
import json
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aico.core.chat import FinishReason, JsonSchema, Message, Role, Tool, ToolCall, ToolChoice
from aico.embedded.local_model.engine import Called, Event, Finished, Piece, Prompt
from aico.embedded.local_model.sample import sample
from aico.embedded.local_model.simulated import SimulatedEngine

ASKED = Prompt(messages=(Message(role=Role.USER, content="How are you, my friend?"),))


WEATHER = Tool(
    name="get_weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}, "unit": {}},
        "required": ["city", "days"],
    },
)
CLOCK = Tool(name="clock")
WITH_TOOLS = replace(ASKED, tools=(WEATHER, CLOCK))


def events(prompt: Prompt) -> list[Event]:
    async def collect() -> list[Event]:
        return [event async for event in SimulatedEngine().answer(prompt)]

    return asyncio.run(collect())


def answer(prompt: Prompt) -> tuple[str, Finished]:
    *pieces, finished = events(prompt)
    assert isinstance(finished, Finished)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), finished


def test_says_what_it_is_and_repeats_itself() -> None:
    text, finished = answer(ASKED)
    assert text.startswith("This is a simulated answer: no language model was run.")
    assert (text, finished) == answer(ASKED)
    assert finished.prompt_tokens == 7
    assert finished.reason is FinishReason.STOP


def test_other_prompts_have_other_answers() -> None:
    other = Prompt(messages=(Message(role=Role.USER, content="How are you, my enemy?"),))
    assert answer(other)[0] != answer(ASKED)[0]


def test_length_and_stop_are_honoured() -> None:
    text, finished = answer(replace(ASKED, max_tokens=3))
    assert (text, finished.reason, finished.completion_tokens) == ("This is a", FinishReason.LENGTH, 3)
    text, finished = answer(replace(ASKED, stop=(" answer",)))
    assert (text, finished.reason) == ("This is a simulated", FinishReason.STOP)


def call(prompt: Prompt) -> ToolCall:
    called, finished = events(prompt)
    assert isinstance(called, Called)
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.TOOL_CALLS
    return called.call


def test_a_tool_is_called_where_the_request_insists() -> None:
    required = call(replace(WITH_TOOLS, tool_choice=ToolChoice(mode="required")))
    assert (required.name, json.loads(required.arguments)) == ("get_weather", {"city": "simulated", "days": 3})
    named = call(replace(WITH_TOOLS, tool_choice=ToolChoice(mode="one", name="clock")))
    assert (named.name, named.arguments) == ("clock", "{}")


def test_a_tool_is_called_where_the_user_names_it() -> None:
    told = (Message(role=Role.USER, content="call clock, please"),)
    assert call(replace(WITH_TOOLS, messages=told)).name == "clock"
    assert (
        answer(replace(WITH_TOOLS, messages=told, tool_choice=ToolChoice(mode="none")))[1].reason is FinishReason.STOP
    )
    unknown = (Message(role=Role.USER, content="call home"),)
    assert answer(replace(WITH_TOOLS, messages=unknown))[1].reason is FinishReason.STOP
    assert answer(WITH_TOOLS)[1].reason is FinishReason.STOP


def test_what_tools_returned_is_told_in_words() -> None:
    asked = call(replace(WITH_TOOLS, tool_choice=ToolChoice(mode="required")))
    returned = (
        *ASKED.messages,
        Message(role=Role.ASSISTANT, tool_calls=(asked,)),
        Message(role=Role.TOOL, tool_call_id=asked.id, content="21 degrees"),
        Message(role=Role.TOOL, tool_call_id="other", content="noon"),
    )
    text, finished = answer(replace(WITH_TOOLS, messages=returned, tool_choice=ToolChoice(mode="required")))
    assert text.endswith("What the tools returned: 21 degrees; noon")
    assert finished.reason is FinishReason.STOP


def test_choices_differ_and_repeat_themselves() -> None:
    second = replace(ASKED, choice=1)
    assert answer(second)[0] != answer(ASKED)[0]
    assert answer(second) == answer(second)


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}}, "required": ["a", "b"]},
    {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 4}}, "required": ["b", "a"]},
    {"type": "array", "items": {"type": "number", "exclusiveMinimum": 7, "maximum": 8.5}, "minItems": 2},
    {"type": ["null", "integer"], "maximum": -3},
    {"type": "string", "minLength": 12},
    {"type": "string", "maxLength": 2},
    {"anyOf": [{"$ref": "#/$defs/leaf"}], "$defs": {"leaf": {"type": "object", "required": ["n"], "properties": {}}}},
    {"properties": {"deep": {"oneOf": [{"type": "array"}]}}, "required": ["deep"]},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_is_followed(schema: dict[str, Any]) -> None:
    text, finished = answer(replace(ASKED, json_schema=JsonSchema(schema_=schema)))
    assert finished.reason is FinishReason.STOP
    assert jsonschema_rs.is_valid(schema, json.loads(text))


KEYWORDS = st.sampled_from(["type", "properties", "required", "items", "enum", "$ref", "anyOf", "minimum", "minItems"])
ANYTHING = st.none() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["object", "array", "string", "#"])
NESTED = st.lists(ANYTHING, max_size=2) | st.dictionaries(KEYWORDS, ANYTHING, max_size=2)


@given(st.dictionaries(KEYWORDS, ANYTHING | NESTED, max_size=5))
def test_a_schema_that_is_none_does_no_harm(schema: dict[str, Any]) -> None:
    assert sample(schema) == sample(schema)


def test_a_schema_without_end_has_an_end() -> None:
    assert sample({"$ref": "#"}) is None
    made = sample({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]})
    assert made["next"]
    while made is not None:  # ends where the deepest value is none
        made = made["next"]
