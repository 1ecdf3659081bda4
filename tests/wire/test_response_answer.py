"""Jobs shown as responses, judged by the types of OpenAI's client."""

import pytest
from wire.responding import CALLS, CREATED, HEX, JOB, answered, ended, judged, queued

from aico.core.chat import ChatRequest, FinishReason, Message, Role
from aico.core.errors import InvalidInput
from aico.core.jobs import JobStatus
from aico.wire.response_answer import response
from aico.wire.response_chain import earlier_messages

ASKED = {
    "instructions": "Be brief.",
    "background": True,
    "metadata": {"team": "a"},
    "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "temperature": 0.5,
    "top_p": 0.9,
    "max_output_tokens": 20,
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
    "reasoning": {"effort": "low"},
    "truncation": "auto",
    "previous_response_id": "resp_1",
    "user": "u",
}


def test_a_waiting_response_has_every_field_and_shows_what_was_asked() -> None:
    shown = judged(response(queued(**ASKED)))
    assert (shown.id, shown.object, shown.status) == (f"resp_{HEX}", "response", "queued")
    assert (shown.created_at, shown.completed_at) == (CREATED.timestamp(), None)
    assert (shown.output, shown.usage, shown.error, shown.incomplete_details) == ([], None, None, None)
    assert (shown.model, shown.instructions, shown.background, shown.metadata) == (
        "auto",
        "Be brief.",
        True,
        {"team": "a"},
    )
    assert (shown.tools[0].type, shown.tool_choice, shown.parallel_tool_calls) == ("function", "required", False)
    assert (shown.temperature, shown.top_p, shown.max_output_tokens) == (0.5, 0.9, 20)
    assert shown.text is not None
    assert shown.text.format is not None
    assert (shown.text.format.type, shown.text.verbosity) == ("json_schema", "low")
    assert shown.reasoning is not None
    assert (shown.reasoning.effort, shown.truncation) == ("low", "auto")
    assert (shown.previous_response_id, shown.user) == ("resp_1", "u")


def test_a_plain_request_shows_the_defaults() -> None:
    shown = response(queued())
    judged(shown)
    assert (shown["background"], shown["store"], shown["tool_choice"], shown["tools"]) == (False, True, "auto", [])
    assert (shown["text"], shown["truncation"]) == ({"format": {"type": "text"}}, "disabled")


def test_an_answer_is_a_message_with_its_usage_and_provenance() -> None:
    shown = judged(response(answered(queued(), cached_tokens=2, reasoning_tokens=1)))
    assert (shown.status, shown.output_text, shown.model) == ("completed", "Paris.", "smollm2-135m")
    assert shown.completed_at == CREATED.timestamp() + 3
    (message,) = shown.output
    assert message.type == "message"
    assert (message.id, message.status) == (f"msg_{HEX}", "completed")
    assert shown.usage is not None
    assert (shown.usage.input_tokens, shown.usage.output_tokens, shown.usage.total_tokens) == (5, 3, 8)
    assert shown.usage.input_tokens_details.cached_tokens == 2
    assert shown.usage.output_tokens_details.reasoning_tokens == 1
    assert shown.model_extra is not None
    assert shown.model_extra["aico"]["job_id"] == str(JOB)
    assert (shown.model_extra["aico"]["cache"], shown.model_extra["aico"]["cost_cents"]) == ("miss", "0.5")


def test_calls_are_items_of_their_own() -> None:
    reason = FinishReason.TOOL_CALLS
    alone = judged(response(answered(queued(), "", tool_calls=CALLS, finish_reason=reason)))
    assert [item.type for item in alone.output] == ["function_call", "function_call"]
    first = alone.output[0]
    assert first.type == "function_call"
    assert (first.id, first.call_id, first.name) == (f"fc_{HEX}_0", "call_1", "weather")
    assert (first.arguments, first.status) == ('{"city":"Rome"}', "completed")
    both = judged(response(answered(queued(), "Wait.", tool_calls=CALLS, finish_reason=reason)))
    assert [item.type for item in both.output] == ["message", "function_call", "function_call"]


def test_an_empty_answer_is_an_empty_message() -> None:
    shown = judged(response(answered(queued(), "")))
    assert [item.type for item in shown.output] == ["message"]


def test_a_refusal_is_told_as_one() -> None:
    declined = answered(queued(), "I cannot.", refused=True, finish_reason=FinishReason.CONTENT_FILTER)
    shown = judged(response(declined))
    assert (shown.status, shown.incomplete_details) == ("completed", None)  # a refusal in words is a whole answer
    (message,) = shown.output
    assert message.type == "message"
    assert message.status == "completed"
    (content,) = message.content
    assert content.type == "refusal"
    assert content.refusal == "I cannot."


@pytest.mark.parametrize(
    ("reason", "told"),
    [(FinishReason.LENGTH, "max_output_tokens"), (FinishReason.CONTENT_FILTER, "content_filter")],
)
def test_an_answer_that_was_cut_is_incomplete(reason: FinishReason, told: str) -> None:
    shown = judged(response(answered(queued(), finish_reason=reason)))
    assert (shown.status, shown.completed_at) == ("incomplete", None)
    assert shown.incomplete_details is not None
    assert shown.incomplete_details.reason == told
    assert shown.output[0].type == "message"
    assert shown.output[0].status == "incomplete"


@pytest.mark.parametrize(
    ("status", "code", "shown_status", "shown_code"),
    [
        (JobStatus.FAILED, "all_candidates_failed", "failed", "server_error"),
        (JobStatus.FAILED, "request_refused", "failed", "invalid_prompt"),
        (JobStatus.EXPIRED, "deadline_exceeded", "failed", "server_error"),
        (JobStatus.CANCELLED, "cancelled", "cancelled", None),
    ],
)
def test_an_end_without_an_answer_says_why(
    status: JobStatus, code: str, shown_status: str, shown_code: str | None
) -> None:
    shown = judged(response(ended(queued(), status, code)))
    assert (shown.status, shown.output) == (shown_status, [])
    assert (shown.error.code if shown.error else None) == shown_code
    assert shown.model_extra is not None
    assert shown.model_extra["aico"]["error"]["code"] == code


def test_log_probabilities_are_shown_in_the_form_of_responses() -> None:
    top = [{"token": "Pa", "logprob": -0.1, "bytes": None}, {"token": "Lo", "logprob": -3.0, "bytes": [76, 111]}]
    said = {"content": [{"token": "Pa", "logprob": -0.1, "bytes": [80, 97], "top_logprobs": top}], "refusal": None}
    (message,) = judged(response(answered(queued(), "Pa", logprobs=said))).output
    assert message.type == "message"
    (content,) = message.content
    assert content.type == "output_text"
    assert content.logprobs is not None
    assert [(one.token, one.bytes) for one in content.logprobs[0].top_logprobs] == [("Pa", []), ("Lo", [76, 111])]


def question(*messages: Message) -> ChatRequest:
    return ChatRequest(messages=messages)


def test_a_conversation_goes_on_without_the_instructions_of_before() -> None:
    hello = Message(role=Role.USER, content="Hello")
    asked = question(Message(role=Role.SYSTEM, content="Be brief."), hello)
    said = answered(queued(instructions="Be brief."), "Wait.", tool_calls=CALLS)
    assert earlier_messages(said, asked) == [hello, Message(role=Role.ASSISTANT, content="Wait.", tool_calls=CALLS)]
    mine = question(Message(role=Role.SYSTEM, content="From the input."), hello)
    assert earlier_messages(answered(queued()), mine)[:2] == list(mine.messages)


def test_there_is_nothing_to_go_on_from_without_an_answer() -> None:
    asked = question(Message(role=Role.USER, content="Hello"))
    with pytest.raises(InvalidInput, match="wait for its end"):
        earlier_messages(queued(), asked)
    with pytest.raises(InvalidInput, match="has no answer") as raised:
        earlier_messages(ended(queued(), JobStatus.FAILED, "x"), asked)
    assert raised.value.param == "previous_response_id"
