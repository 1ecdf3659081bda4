"""Lines of OpenAI, LiteLLM and Langfuse, and of nobody."""

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from audit.auditing import gathered
from audit.logs import START, Json, generation, pair, spend, write

from aico.audit import reading
from aico.audit.calls import LateResult, LoggedCall, NotReadable, SetAside
from aico.audit.formats.formats import Format, read_line
from aico.audit.reading import STDIN, Lines, read_logs
from aico.core.errors import InvalidInput


def call(line: Json) -> LoggedCall:
    found = read_line(json.dumps(line).encode())[1]
    assert isinstance(found, LoggedCall)
    return found


def why(line: Any, kind: type[Exception] = NotReadable) -> str:
    with pytest.raises(kind) as error:
        read_line(line if isinstance(line, bytes) else json.dumps(line).encode())
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [(pair("Hi"), Format.OPENAI), (spend("Hi"), Format.LITELLM), (generation("Hi"), Format.LANGFUSE)],
    ids=["openai", "litellm", "langfuse"],
)
def test_a_line_says_itself_who_wrote_it_and_means_the_same_call(line: Json, expected: Format) -> None:
    chosen, found = read_line(json.dumps(line).encode())
    assert chosen is expected
    assert isinstance(found, LoggedCall)
    assert [message.text for message in found.request.messages] == ["Hi"]
    assert (found.request.model, found.result.answer, found.result.at) == ("gpt-5.4", "Yes.", START.timestamp())
    assert found.result.usage is not None
    assert (found.result.usage.input_uncached, found.result.usage.output) == (1000, 100)


def test_openai_counts_cached_tokens_within_the_prompt() -> None:
    line = pair("Hi")
    line["response"]["usage"] = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    usage = call(line).result.usage
    assert usage is not None
    assert (usage.input_uncached, usage.cache_read, usage.output, usage.reasoning) == (600, 400, 100, 30)
    assert call(line).result.cache_known


def test_anthropic_counts_cached_tokens_beside_the_prompt() -> None:
    line = pair("Hi")
    line["response"] = {
        "type": "message",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "Yes."}],
        "usage": {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_input_tokens": 2000,
            "cache_creation_input_tokens": 100,
        },
    }
    usage = call(line).result.usage
    assert usage is not None
    assert (usage.input_uncached, usage.cache_read, usage.cache_write) == (10, 2000, 100)
    assert call(line).result.answer == "Yes."


def test_the_responses_api_is_read_too() -> None:
    line = {
        "request": {"model": "gpt-5.4", "instructions": "Be brief.", "input": "Hi"},
        "response": {
            "object": "response",
            "created_at": int(START.timestamp()),
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "Yes."}]}],
            "usage": {"input_tokens": 9, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}},
        },
    }
    found = call(line)
    assert [message.text for message in found.request.messages] == ["Be brief.", "Hi"]
    assert found.result.answer == "Yes."
    assert found.result.usage is not None
    assert (found.result.usage.input_uncached, found.result.usage.cache_read) == (5, 4)


def test_a_stored_completion_needs_its_messages() -> None:
    stored = pair("Hi")["response"]
    assert "without its `messages`" in why(stored)
    assert call({**stored, "messages": [{"role": "user", "content": "Hi"}]}).result.answer == "Yes."


def test_both_files_of_a_batch_make_calls_whichever_comes_first(tmp_path: Path) -> None:
    asked = [
        {"custom_id": f"c{n}", "method": "POST", "url": "/v1/chat/completions", "body": pair("Hi")["request"]}
        for n in range(2)
    ]
    answered = [
        {"id": f"r{n}", "custom_id": f"c{n}", "response": {"status_code": 200, "body": pair("Hi")["response"]}}
        for n in range(2)
    ]
    files = [write(tmp_path / "in.jsonl", asked), write(tmp_path / "out.jsonl", answered)]
    for order in (files, files[::-1]):
        lines = Lines()
        log = gathered(order, lines)
        assert (lines.calls, lines.results) == (2, 2)
        assert [(row.usage.batch, row.usage.output) for row in log.rows if row.usage is not None] == [(True, 100)] * 2
        assert {row.at for row in log.rows} == {START.timestamp()}
    assert isinstance(read_line(json.dumps(answered[0]).encode())[1], LateResult)


def test_a_spend_log_has_the_prompt_in_the_request_of_the_client() -> None:
    body = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5}
    line = spend("-", messages={}, proxy_server_request=json.dumps(body), response_cost=None, spend=0.0125)
    line["startTime"], line["endTime"] = "2026-10-05T09:00:00.000Z", "2026-10-05 09:00:03"
    found = call(line)
    assert (found.request.last_user_turn, found.request.temperature) == ("Hi", 0.5)
    assert (str(found.dollars), found.seconds, found.result.at) == ("0.0125", 3.0, START.timestamp())


def test_litellm_without_prompts_says_what_to_switch_on() -> None:
    assert "store_prompts_in_spend_logs" in why(spend("-", messages={}))
    assert "redacted" in why(spend("redacted-by-litellm"))


def test_an_export_of_langfuse_may_hold_json_as_text_and_names_with_underscores() -> None:
    line = {
        "id": "o",
        "trace_id": "t",
        "type": "GENERATION",
        "start_time": "2026-10-05 09:00:00.000000",
        "end_time": "2026-10-05 09:00:02.500000",
        "provided_model_name": "gpt-5.4-2026-03-05",
        "model_parameters": '{"temperature": 0}',
        "input": json.dumps({"messages": [{"role": "user", "content": "Hi"}], "tools": []}),
        "output": '{"role": "assistant", "content": "Yes."}',
        "usage_details": {"input": 600, "input_cached_tokens": 400, "output": 70, "output_reasoning_tokens": 30},
        "cost_details": {"input": 0.002, "output": 0.001},
    }
    found = call(line)
    assert (found.request.last_user_turn, found.result.answer, found.seconds) == ("Hi", "Yes.", 2.5)
    assert str(found.dollars) == "0.003"
    usage = found.result.usage
    assert usage is not None
    assert (usage.input_uncached, usage.cache_read, usage.output, usage.reasoning) == (600, 400, 100, 30)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (generation("Hi", type="SPAN"), "no generation"),
        (generation("Hi", level="ERROR"), "failed"),
        (spend("Hi", status="failure"), "failed"),
        (spend("Hi", call_type="aembedding"), "no words"),
        ({**pair("Hi"), "response": {"status_code": 429, "body": {"error": {"message": "slow down"}}}}, "failed"),
        ({"custom_id": "a", "url": "/v1/embeddings", "body": {"model": "m", "input": "Hi"}}, "another endpoint"),
    ],
    ids=["span", "error", "failure", "embedding", "refused", "batch of embeddings"],
)
def test_what_is_no_answered_call_is_set_aside(line: Json, reason: str) -> None:
    assert reason in why(line, SetAside)


HOSTILE: list[tuple[Any, str]] = [
    (b"{", "not JSON"),
    (b'{"request": NaN}', "not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b'{"messages": [{"role": "user", "content": "\\ud800"}], "model": "m"}', "not JSON"),
    (b"[" * 100_000, "not JSON"),
    ([1, 2], "a list"),
    (7, "no JSON object"),
    ({}, "no format"),
    ({"request": "secret words"}, "request is no object"),
    ({"request": {"messages": []}, "response": {"id": "x"}}, "no model"),
    ({"model": "m", "messages": [{"role": "wizard", "content": "secret words"}]}, "messages.0 has no role"),
    ({"model": "m", "messages": ["secret words"]}, "messages.0 is no message"),
    ({"model": "m", "messages": [{"role": "user", "content": "  "}]}, "empty"),
    (spend("Hi", startTime="secret words"), "startTime is no date"),
    (spend("Hi", startTime=10**400), "startTime is no date"),
    (spend("Hi", prompt_tokens=-1), "usage is no number"),
    (spend("Hi", prompt_tokens=10**400), "usage is no number"),
    (spend("Hi", prompt_tokens=True), "usage is no number"),
    (b'{"messages": "a", "model": "m", "usage": {"prompt_tokens": 1e400}}', "usage is no number"),
    ({"type": {}}, "no format"),
    (spend("Hi", response_cost="secret words"), "response_cost is no amount"),
    (spend("Hi", response_cost=-1), "response_cost is no amount"),
    (generation("Hi", usageDetails={"input": "secret words"}), "usageDetails is no number"),
    (generation("Hi", model=None), "no model"),
]


@pytest.mark.parametrize(("line", "reason"), HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_a_line_that_says_nothing_says_why_without_its_words(line: Any, reason: str) -> None:
    said = why(line)
    assert reason in said
    assert "secret" not in said


def test_what_is_no_name_where_a_name_is_looked_for_is_passed_over() -> None:
    odd = pair("Hi", messages=[{"role": "user", "content": [{"type": [], "text": "Hi"}]}])
    odd["response"]["service_tier"] = []
    found = call(odd)
    assert found.result.usage is not None
    assert found.result.usage.tier == "standard"
    assert not call(spend("Hi", cache_hit=[])).cached
    assert call(spend("Hi", cache_hit=True)).cached
    assert call(spend("Hi", cache_hit="True")).cached


def test_lines_that_cannot_be_read_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    good = json.dumps(pair("Grüße aus 東京 🏕")).encode()
    path.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n\n" + b"{broken\n" * 9 + good)
    lines = Lines()
    calls = list(read_logs([path], lines))
    assert (lines.calls, lines.unreadable.total(), len(lines.shown)) == (2, 9, 5)
    assert lines.shown[0][:2] == (str(path), 3)
    assert [one.request.last_user_turn for one in calls if isinstance(one, LoggedCall)] == ["Grüße aus 東京 🏕"] * 2


def test_a_huge_line_is_told_and_the_next_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_LINE_BYTES", 2 * 1024 * 1024)
    lines = Lines()
    path = write(tmp_path / "log.jsonl", [pair("x" * 3_000_000), pair("y" * 1_000_000)])
    calls = list(read_logs([path], lines))
    assert [len(one.request.last_user_turn) for one in calls if isinstance(one, LoggedCall)] == [1_000_000]
    assert lines.shown == [(str(path), 1, "longer than 2 MiB")]


def test_a_packed_file_is_unpacked_whatever_its_name_and_a_damaged_one_read_as_far_as_it_goes(tmp_path: Path) -> None:
    text = "".join(f"{json.dumps(pair(f'Question {n}'))}\n" for n in range(2000)).encode()
    whole, cut = tmp_path / "whole", tmp_path / "cut.gz"
    whole.write_bytes(gzip.compress(text))
    cut.write_bytes(gzip.compress(text)[:-2000])
    lines = Lines()
    assert len(list(read_logs([whole], lines))) == 2000
    assert lines.unreadable.total() == 0
    damaged = Lines()
    assert 0 < len(list(read_logs([cut], damaged))) < 2000
    assert "the file is damaged: what follows the last line that was read is lost" in damaged.unreadable


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO(json.dumps(pair("Hi")).encode())
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=data))
    assert len(list(read_logs([STDIN], Lines()))) == 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read .*gone"):
        list(read_logs([tmp_path / "gone"], Lines()))
