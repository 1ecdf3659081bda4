"""What OpenAI's clients send to create a response, read into a question."""

from typing import Any

import pytest
from pydantic import ValidationError
from wire.responding import JOB, request

from aico.core.chat import ImagePart, Message, Role, TextPart, ToolCall, ToolChoice
from aico.core.errors import InvalidInput
from aico.core.inputs import ControlFields
from aico.core.jobs import JobClass, Surface
from aico.wire.response_items import input_items

PICTURE = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "Rain."}


def messages(given: Any, **fields: Any) -> tuple[Message, ...]:
    return request(input=given, **fields).chat().messages


def user(content: str | tuple[Any, ...]) -> Message:
    return Message(role=Role.USER, content=content)


def test_text_alone_is_what_the_user_says() -> None:
    assert messages("Hello") == (user("Hello"),)
    assert messages("Hello", instructions="Be brief.") == (
        Message(role=Role.SYSTEM, content="Be brief."),
        user("Hello"),
    )


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "Hello"},
        {"type": "message", "role": "user", "content": "Hello"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Hel"}, {"type": "input_text", "text": "lo"}]},
    ],
)
def test_every_way_of_writing_a_message_is_one_question(item: dict[str, Any]) -> None:
    assert messages([item]) == messages("Hello")


def test_a_conversation_is_read_with_its_pictures_and_what_the_assistant_said() -> None:
    output = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    text = {"type": "output_text", "text": "Who?", "annotations": [], "logprobs": []}
    given = [
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": "Yes?"},
        {**output, "content": [text]},
        {**output, "content": [{"type": "refusal", "refusal": "No."}]},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "This"}, {"type": "input_image", "image_url": PICTURE}],
        },
    ]
    assert messages(given) == (
        Message(role=Role.SYSTEM, content="Be brief."),
        *(Message(role=Role.ASSISTANT, content=said) for said in ("Yes?", "Who?", "No.")),
        user((TextPart(text="This"), ImagePart(url=PICTURE))),
    )


def test_calls_are_the_assistants_and_their_results_follow() -> None:
    second = {**CALL, "call_id": "c2", "id": "fc_1", "status": "completed"}
    given = ["Weather?", {"role": "assistant", "content": "Wait."}, CALL, second, OUTPUT, {**OUTPUT, "call_id": "c2"}]
    given[0] = {"role": "user", "content": given[0]}
    calls = tuple(ToolCall(id=call, name="weather", arguments="{}") for call in ("c1", "c2"))
    assert messages(given) == (
        user("Weather?"),
        Message(role=Role.ASSISTANT, content="Wait.", tool_calls=calls),
        *(Message(role=Role.TOOL, content="Rain.", tool_call_id=call) for call in ("c1", "c2")),
    )
    alone = messages([CALL, OUTPUT, {**CALL, "call_id": "c2"}, {**OUTPUT, "call_id": "c2"}])
    assert [message.role.value for message in alone] == ["assistant", "tool", "assistant", "tool"]


def test_input_is_shown_again_as_the_items_that_it_was() -> None:
    given = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "This"},
                {"type": "input_image", "image_url": PICTURE, "detail": "low"},
            ],
        },
        {"role": "assistant", "content": "Wait."},
        CALL,
        OUTPUT,
    ]
    shown = input_items(JOB, messages(given))
    assert [item["type"] for item in shown] == ["message", "message", "function_call", "function_call_output"]
    assert len({item["id"] for item in shown}) == 4
    assert messages([{name: value for name, value in item.items() if name != "id"} for item in shown]) == messages(
        given
    )


def test_tools_formats_and_settings_reach_the_question() -> None:
    chat = request(
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "weather"},
        parallel_tool_calls=False,
        text={
            "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
            "verbosity": "low",
        },
        reasoning={"effort": "high", "summary": "auto"},
        max_output_tokens=16,
        temperature=0.5,
        top_p=0.9,
        top_logprobs=2,
        user="u",
        prompt_cache_key="k",
        safety_identifier="s",
        service_tier="flex",
    ).chat()
    assert (chat.tools[0].name, chat.tools[0].strict) == ("weather", True)
    assert chat.tool_choice == ToolChoice(mode="one", name="weather")
    assert chat.parallel_tool_calls is False
    assert chat.response_format == "json_schema"
    assert chat.json_schema is not None
    assert (chat.json_schema.name, chat.json_schema.schema_, chat.json_schema.strict) == ("n", {"type": "object"}, True)
    assert (chat.verbosity, chat.reasoning_effort, chat.max_tokens) == ("low", "high", 16)
    assert (chat.temperature, chat.top_p, chat.logprobs, chat.top_logprobs) == (0.5, 0.9, True, 2)
    assert chat.hints == {"user": "u", "prompt_cache_key": "k", "safety_identifier": "s", "service_tier": "flex"}
    assert request(include=["message.output_text.logprobs"]).chat().logprobs


def test_what_is_said_about_a_response_reaches_its_job() -> None:
    asked = request(metadata={"team": "a"}, stream=True, aico={"tags": ["nightly"]})
    job = asked.submission(asked.aico or ControlFields())
    assert (job.surface, job.streams, job.metadata, job.tags) == (Surface.RESPONSE, True, {"team": "a"}, ("nightly",))
    assert job.job_class is JobClass.INTERACTIVE


def test_in_the_background_a_program_waits_unless_the_caller_says_otherwise() -> None:
    asked = request(background=True)
    assert asked.submission(ControlFields()).job_class is JobClass.STANDARD
    said = ControlFields.model_validate({"class": "interactive"})
    assert asked.submission(said).job_class is JobClass.INTERACTIVE


def test_an_earlier_conversation_comes_after_the_instructions_and_before_the_input() -> None:
    asked = request(instructions="Be brief.")
    earlier = [user("Hello?"), Message(role=Role.ASSISTANT, content="Yes.")]
    job = asked.submission(ControlFields(), earlier)
    assert job.chat.messages == (Message(role=Role.SYSTEM, content="Be brief."), *earlier, user("Hello"))
    assert job.echo["first"] == 3


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"input": []}, ("input",)),
        ({"input": 7}, ("input",)),
        ({"input": ["Hello"]}, ("input", 0)),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, ("input", 0)),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, ("input", 0)),
        ({"input": [{"type": ["message"], "role": "user", "content": "x"}]}, ("input", 0)),
        ({"input": [{"role": "tool", "content": "x"}]}, ("input", 0)),
        ({"input": [{"role": ["user"], "content": "x"}]}, ("input", 0)),
        ({"input": [{"role": "user"}]}, ("input", 0, "user", "content")),
        ({"input": [{"role": "user", "content": []}]}, ("input", 0, "user", "content")),
        ({"input": "\x00"}, ("input", 0, "user", "content", 0, "input_text", "text")),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "ftp://x"}]}]},
            ("input", 0, "user", "content", 0, "input_image", "image_url"),
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            ("input", 0, "user", "content", 0),
        ),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, ("input", 0, "function_call_output", "call_id")),
        ({"tools": [{"type": "web_search"}]}, ("tools", 0, "name")),
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, ("tools", 0, "name")),
        ({"max_output_tokens": 15}, ("max_output_tokens",)),
        ({"text": {"format": {"type": "grammar"}}}, ("text", "format")),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, ("text", "format", "json_schema", "schema")),
        ({"reasoning": {"effort": "some"}}, ("reasoning", "effort")),
        ({"include": ["file_search_call.results"]}, ("include", 0)),
        ({"conversation": "conv_1"}, ("conversation",)),
        ({"messages": []}, ("messages",)),
        ({"tool_choice": "required"}, ()),
        ({"tool_choice": {"type": "function", "name": "f"}}, ()),
        ({"background": True, "store": False}, ()),
        ({"stream_options": {"include_obfuscation": False}}, ()),
        ({"temperature": 2.5}, ("temperature",)),
        ({"metadata": {"k": 1}}, ("metadata", "k")),
        ({"aico": {"class": "urgent"}}, ("aico", "class")),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(fields: dict[str, Any], at: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as raised:
        request(**fields)
    assert raised.value.errors()[0]["loc"] == at


@pytest.mark.parametrize(
    ("given", "told"),
    [([OUTPUT], "no function call was made"), ([CALL], "no output is given"), ([OUTPUT, CALL], "no function call")],
)
def test_calls_and_results_must_belong_together(given: list[Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as raised:
        request(input=given).chat()
    assert raised.value.param == "input"


def test_a_conversation_that_grew_too_long_is_refused() -> None:
    with pytest.raises(InvalidInput, match="2001 messages"):
        request().chat([user("x")] * 2000)
