"""Placeholders in place of personal data, throughout a submission."""

import pytest
from builders import chat

from aico.core.canonical import cache_key
from aico.core.chat import ChatRequest, ImagePart, Message, Role, TextPart, Tool, ToolCall
from aico.core.errors import PayloadTooLarge
from aico.core.redaction import redacted
from aico.core.submission import Submission
from aico.privacy.detector import PatternDetector

DETECTOR = PatternDetector("US")
ANN, BOB = "ann@example.com", "bob@example.com"


def clean(submission: Submission) -> Submission:
    return redacted(submission, DETECTOR, 10_000)


def texts(request: ChatRequest) -> list[str]:
    return [message.text for message in request.messages]


def test_the_same_value_has_the_same_number_throughout_a_request() -> None:
    said = (
        Message(role=Role.SYSTEM, content=f"You write for {ANN}."),
        Message(role=Role.USER, content=f"Tell {BOB} and Ann@Example.com: 212-555-2368."),
        Message(role=Role.USER, content="No: (212) 555 2368!"),
    )
    done = clean(Submission(chat=ChatRequest(messages=said)))
    assert texts(done.chat) == [
        "You write for <EMAIL_1>.",
        "Tell <EMAIL_2> and <EMAIL_1>: <PHONE_1>.",
        "No: <PHONE_1>!",
    ]


def test_numbers_go_on_after_those_that_the_conversation_holds() -> None:
    said = (
        Message(role=Role.USER, content="I am <EMAIL_2>."),
        Message(role=Role.ASSISTANT, content="Hello <EMAIL_2>, where is <EMAIL_1>?"),
        Message(role=Role.USER, content=f"Ask {ANN}."),
    )
    assert texts(clean(Submission(chat=ChatRequest(messages=said))).chat)[-1] == "Ask <EMAIL_3>."


def test_every_text_of_a_request_is_cleaned_and_nothing_else_is_touched() -> None:
    picture = ImagePart(url=f"https://example.com/{ANN}.png")
    call = ToolCall(id="call_2125552368", name="mail", arguments=f'{{"to": "{ANN}"}}')
    request = ChatRequest(
        model="gpt-5.4",
        messages=(
            Message(role=Role.USER, content=(TextPart(text=f"Write to {ANN}"), picture)),
            Message(role=Role.ASSISTANT, tool_calls=(call,)),
            Message(role=Role.TOOL, tool_call_id="call_2125552368", content=f"sent to {ANN}"),
            Message(role=Role.USER, content="thanks"),
        ),
        tools=(Tool(name="mail", description=f"as {BOB}", parameters={"properties": {"to": {"default": BOB}}}),),
        stop=(ANN,),
        hints={"user": BOB},
    )
    submission = Submission(
        chat=request, metadata={"who": ANN}, echo={"instructions": BOB, "previous_response_id": "resp_2125552368"}
    )
    done = clean(submission)
    assert ANN not in done.chat.model_dump_json().replace(picture.url, "")
    assert BOB not in done.chat.model_dump_json()
    assert done.chat.messages[0].images == (picture,)
    assert done.chat.messages[1].tool_calls[0] == ToolCall(id=call.id, name="mail", arguments='{"to": "<EMAIL_1>"}')
    assert done.chat.messages[2].tool_call_id == call.id
    assert done.metadata == {"who": "<EMAIL_1>"}
    assert done.echo == {"instructions": "<EMAIL_2>", "previous_response_id": "resp_2125552368"}
    assert done.chat.model == "gpt-5.4"


def test_a_request_without_personal_data_is_the_same_request() -> None:
    submission = Submission(chat=chat("What is the capital of France?"), metadata={"team": "a"})
    assert clean(submission) is submission


def test_questions_about_different_people_become_one_question_to_the_cache() -> None:
    keys = {cache_key(clean(Submission(chat=chat(f"Greet {who}."))).chat) for who in (ANN, BOB)}
    assert len(keys) == 1


def test_more_text_than_is_looked_through_is_refused() -> None:
    with pytest.raises(PayloadTooLarge):
        redacted(Submission(chat=chat("x" * 100)), DETECTOR, 99)
