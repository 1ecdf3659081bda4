"""Conversations that go on from an earlier response, with tools."""

from typing import Any

import openai
import pytest
from api.talking import StreamingWorker, working
from openai import OpenAI

from aico.core.chat import ChatRequest, FinishReason, Role, ToolCall

TOOL: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
CALL = ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}')


def ask(asking: OpenAI, worker: StreamingWorker, text: str, said: Any, **answer: Any) -> tuple[Any, ChatRequest]:
    """The response, and what the worker was asked. `said` are the request's fields, `answer` what is answered."""
    seen: list[ChatRequest] = []

    def work() -> None:
        held = worker.claim(worker.newest())
        seen.append(held.request)
        worker.end(held, text, **answer)

    with working(work):
        made = asking.responses.create(model="able", **said)
    return made, seen[0]


def test_a_conversation_with_a_tool_goes_on_from_response_to_response(asking: OpenAI, worker: StreamingWorker) -> None:
    said: Any = {"input": "How is the weather in Rome?", "instructions": "Be brief.", "tools": [TOOL]}
    calls = {"tool_calls": (CALL,), "finish_reason": FinishReason.TOOL_CALLS}
    first, _ = ask(asking, worker, "", said, **calls)
    (call,) = first.output
    assert (call.type, call.call_id, call.name) == ("function_call", "call_1", "weather")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}
    second, asked = ask(
        asking, worker, "It rains.", {"input": [output], "previous_response_id": first.id, "tools": [TOOL]}
    )
    assert [message.role for message in asked.messages] == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert asked.messages[1].tool_calls == (CALL,)
    assert (second.output_text, second.previous_response_id, second.instructions) == ("It rains.", first.id, None)
    third, asked = ask(
        asking,
        worker,
        "Take an umbrella.",
        {"input": "What do I need?", "previous_response_id": second.id, "instructions": "Be kind."},
    )
    assert [(message.role, message.text) for message in asked.messages] == [
        (Role.SYSTEM, "Be kind."),
        (Role.USER, "How is the weather in Rome?"),
        (Role.ASSISTANT, ""),
        (Role.TOOL, "Rain."),
        (Role.ASSISTANT, "It rains."),
        (Role.USER, "What do I need?"),
    ]
    (item,) = asking.responses.input_items.list(third.id).data
    assert item.type == "message"
    assert item.content[0].type == "input_text"
    assert item.content[0].text == "What do I need?"
    (result,) = asking.responses.input_items.list(second.id).data
    assert result.type == "function_call_output"
    assert (result.call_id, result.output) == ("call_1", "Rain.")


def test_output_can_be_given_back_as_input(asking: OpenAI, worker: StreamingWorker) -> None:
    said: Any = [{"role": "user", "content": "How is the weather in Rome?"}]
    calls = {"tool_calls": (CALL,), "finish_reason": FinishReason.TOOL_CALLS}
    first, _ = ask(asking, worker, "Let me look.", {"input": said, "tools": [TOOL]}, **calls)
    said += first.output
    said.append({"type": "function_call_output", "call_id": "call_1", "output": "Rain."})
    second, asked = ask(asking, worker, "It rains.", {"input": said, "tools": [TOOL]})
    assert [(message.role, message.text) for message in asked.messages] == [
        (Role.USER, "How is the weather in Rome?"),
        (Role.ASSISTANT, "Let me look."),
        (Role.TOOL, "Rain."),
    ]
    listed = asking.responses.input_items.list(second.id, order="asc").data
    assert [item.type for item in listed] == ["message", "message", "function_call", "function_call_output"]


def test_a_call_needs_its_output(asking: OpenAI, worker: StreamingWorker) -> None:
    calls = {"tool_calls": (CALL,), "finish_reason": FinishReason.TOOL_CALLS}
    first, _ = ask(asking, worker, "", {"input": "How is the weather?", "tools": [TOOL]}, **calls)
    with pytest.raises(openai.BadRequestError, match="no output is given for the function call 'call_1'"):
        asking.responses.create(model="able", input="Well?", previous_response_id=first.id)


def test_what_has_no_answer_cannot_be_gone_on_from(asking: OpenAI, worker: StreamingWorker) -> None:
    made = asking.responses.create(model="auto", input="Hello", background=True)
    with pytest.raises(openai.BadRequestError, match="wait for its end") as caught:
        asking.responses.create(model="auto", input="Well?", previous_response_id=made.id)
    assert caught.value.param == "previous_response_id"
    worker.fail(worker.claim(worker.newest()), "all_candidates_failed")
    with pytest.raises(openai.BadRequestError, match="has no answer"):
        asking.responses.create(model="auto", input="Well?", previous_response_id=made.id)


def test_what_was_deleted_cannot_be_gone_on_from_but_what_followed_remains(
    asking: OpenAI, worker: StreamingWorker
) -> None:
    first, _ = ask(asking, worker, "Yes.", {"input": "Hello"})
    second, _ = ask(asking, worker, "Still here.", {"input": "Well?", "previous_response_id": first.id})
    asking.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError):
        asking.responses.create(model="auto", input="Well?", previous_response_id=first.id)
    _, asked = ask(asking, worker, "Sure.", {"input": "Sure?", "previous_response_id": second.id})
    assert [message.text for message in asked.messages] == ["Hello", "Yes.", "Well?", "Still here.", "Sure?"]


def test_tokens_of_the_conversation_before_are_counted_too(asking: OpenAI, worker: StreamingWorker) -> None:
    first, _ = ask(asking, worker, "Yes. " * 50, {"input": "Hello"})
    alone = asking.responses.input_tokens.count(input="Well?").input_tokens
    assert asking.responses.input_tokens.count(input="Well?", previous_response_id=first.id).input_tokens > alone + 50
