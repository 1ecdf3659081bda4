"""A file of prompts turned into OpenAI's lines, and its results turned back: pure functions."""

import json
from typing import Any

import pytest

from aico.cli.batch_results import in_order, result_of
from aico.cli.prompt_lines import ENDPOINT, Line, batch_line


def body(request: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    line = batch_line(Line("a", request), defaults)
    assert (line["custom_id"], line["method"], line["url"]) == ("a", "POST", ENDPOINT)
    found: dict[str, Any] = line["body"]
    return found


USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"prompt": "Hi"}, {"model": "auto", "messages": [USER]}),
        ({"prompt": "Hi", "system": "Be brief."}, {"messages": [{"role": "system", "content": "Be brief."}, USER]}),
        (
            {"messages": [USER], "model": "m", "temperature": 0.5},
            {"messages": [USER], "model": "m", "temperature": 0.5},
        ),
        ({"prompt": "Hi", "response_format": "json_object"}, {"response_format": {"type": "json_object"}}),
        ({"prompt": "Hi", "class": "standard", "cache": "off"}, {"aico": {"class": "standard", "cache": "off"}}),
        ({"prompt": "Hi", "colour": "red"}, {"colour": "red"}),  # for the service to refuse
    ],
)
def test_a_prompt_is_a_chat_completion_with_controls(request_: dict[str, Any], expected: dict[str, Any]) -> None:
    found = body(request_)
    assert {name: found[name] for name in expected} == expected
    assert "prompt" not in found
    assert "system" not in found


def test_a_lines_own_controls_win_over_the_commands() -> None:
    assert body({"prompt": "Hi"}, **{"class": "batch"})["aico"] == {"class": "batch"}
    assert body({"prompt": "Hi", "class": "standard"}, **{"class": "batch"})["aico"] == {"class": "standard"}
    ready = Line("a", {"model": "m", "messages": [USER], "aico": {"cache": "off"}}, ready=True)
    assert batch_line(ready, {"class": "standard"})["body"]["aico"] == {"class": "standard", "cache": "off"}
    assert batch_line(ready, {})["body"] == ready.request


def answered(name: str, finish: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": name.upper(), "refusal": None}
    completion = {
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        "aico": {"job_id": "j", "provider": "p", "model": "m"},
    }
    response = {"status_code": 200, "request_id": "req_1", "body": completion}
    return {"id": "batch_req_1", "custom_id": name, "response": response, "error": None}


def unanswered(name: str, code: str, status: int | None = None, job: str | None = None) -> dict[str, Any]:
    error = {"code": code, "message": "why"}
    if status is None:
        return {"id": "batch_req_1", "custom_id": name, "response": None, "error": error}
    said = {"error": {**error, "type": "t", "param": None}, **({"aico": {"job_id": job}} if job else {})}
    return {"custom_id": name, "response": {"status_code": status, "request_id": None, "body": said}, "error": None}


def test_an_answer_comes_with_its_job_and_how_it_came_about() -> None:
    assert result_of(answered("a")) == {
        "id": "a",
        "job": "j",
        "status": "completed",
        "answer": {"text": "A", "finish_reason": "stop", "input_tokens": 5, "output_tokens": 3},
        "routing": {"provider": "p", "model": "m"},
    }
    assert result_of(answered("a", "length"))["status"] == "incomplete"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (unanswered("a", "batch_expired"), "expired"),
        (unanswered("a", "batch_cancelled"), "cancelled"),
        (unanswered("a", "invalid_input", 400), "refused"),
        (unanswered("a", "request_refused", 400, "j"), "failed"),
        (unanswered("a", "deadline_exceeded", 504, "j"), "expired"),
        (unanswered("a", "cancelled", 409, "j"), "cancelled"),
    ],
)
def test_what_was_not_answered_says_why(line: dict[str, Any], status: str) -> None:
    result = result_of(line)
    assert (result["id"], result["status"], result["error"]["message"]) == ("a", status, "why")
    assert "answer" not in result


def test_results_come_in_the_order_of_the_requests() -> None:
    requests = [json.dumps({"custom_id": name}) for name in "abcde"]
    output = [json.dumps(answered(name)) for name in "bd"]
    errors = [json.dumps(unanswered(name, "batch_expired")) for name in "ac"]
    results = list(in_order(requests, output, errors, "cancelled"))
    assert [(result["id"], result["status"]) for result in results] == [
        ("a", "expired"),
        ("b", "completed"),
        ("c", "expired"),
        ("d", "completed"),
        ("e", "cancelled"),
    ]
