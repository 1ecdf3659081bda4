"""Requests that can never be answered: each is told why, none is stored, and the service goes on."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from api.conftest import Connect, Rows, assert_problem, serving
from conftest import Tenant

from aico.core.settings import Settings

JSON = {"Content-Type": "application/json"}
USER = {"role": "user", "content": "hello"}
LIMIT = 8_000_000


@pytest.fixture(autouse=True)
def nothing_is_stored_and_the_service_goes_on(api: httpx2.Client, tenant: Tenant, rows: Rows) -> Iterator[None]:
    yield
    assert rows.jobs(tenant.id) == 0
    assert api.post("/v1/jobs", json={"prompt": "still there?"}).status_code == 202


def _assert_refused_everywhere(
    api: httpx2.Client, status: int, code: str | None = None, *, param: str | None = None, **body: Any
) -> dict[str, Any]:
    problems = [assert_problem(api.post(path, **body), status, code) for path in ("/v1/jobs", "/v1/chat", "/chat")]
    assert problems[0] == problems[1] == problems[2]
    assert problems[0].get("param") == param
    return problems[0]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, None),
        ({"prompt": None}, None),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n\t\u00a0\u2003"}, "prompt"),
        ({"prompt": 42}, "prompt"),
        ({"prompt": ["hello"]}, "prompt"),
        ({"prompt": {"text": "hello"}}, "prompt"),
        ({"prompt": True}, "prompt"),
        ({"prompt": "hello", "messages": [USER]}, None),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [USER], "system": "x"}, None),
        ({"messages": [USER, {"role": "assistant", "content": "hi"}]}, None),
        ({"messages": [{"role": "system", "content": "only this"}]}, None),
        ({"messages": [{"role": "wizard", "content": "hello"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "messages.0.content"),
        ({"messages": [{**USER, "name": "x"}]}, "messages.0.name"),
        ({"messages": [USER] * 1001}, "messages"),
        ({"messages": ["hello"]}, "messages.0"),
        ({"prompt": "hello", "system": ""}, "system"),
        ({"prompt": "hello", "promt": "typo"}, "promt"),
        ({"prompt": "hello", "job_class": "batch"}, "job_class"),
        ({"prompt": "hello", "class": "urgent"}, "class"),
        ({"prompt": "hello", "cache": "always"}, "cache"),
        ({"prompt": "hello", "model": ""}, "model"),
        ({"prompt": "hello", "model": "m" * 201}, "model"),
        ({"prompt": "hello", "model": None}, "model"),
        ({"prompt": "hello", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "hello", "max_tokens": -1}, "max_tokens"),
        ({"prompt": "hello", "max_tokens": 1.5}, "max_tokens"),
        ({"prompt": "hello", "max_tokens": 10**30}, "max_tokens"),
        ({"prompt": "hello", "max_tokens": "lots"}, "max_tokens"),
        ({"prompt": "hello", "temperature": 3}, "temperature"),
        ({"prompt": "hello", "temperature": -0.1}, "temperature"),
        ({"prompt": "hello", "top_p": 0}, "top_p"),
        ({"prompt": "hello", "top_p": 1.1}, "top_p"),
        ({"prompt": "hello", "stop": "x"}, "stop"),
        ({"prompt": "hello", "stop": ["x"] * 5}, "stop"),
        ({"prompt": "hello", "seed": 2**63}, "seed"),
        ({"prompt": "hello", "response_format": "xml"}, "response_format"),
        ({"prompt": "hello", "metadata": {f"key {n}": "x" for n in range(17)}}, "metadata"),
        ({"prompt": "hello", "metadata": {"key": "x" * 513}}, "metadata.key"),
        ({"prompt": "hello", "metadata": {"key": 1}}, "metadata.key"),
        ({"prompt": "hello", "metadata": {"key": {"nested": "x"}}}, "metadata.key"),
        ({"prompt": "hello", "metadata": ["x"]}, "metadata"),
        ([], None),
        ([{"prompt": "hello"}], None),
        ("hello", None),
        (None, None),
        (17, None),
    ],
)
def test_what_does_not_fit_is_named(api: httpx2.Client, body: Any, param: str | None) -> None:
    problem = _assert_refused_everywhere(api, 422, "invalid_input", param=param, content=json.dumps(body), headers=JSON)
    assert problem["errors"][0]["message"]


@pytest.mark.parametrize(
    "metadata", [{"": "x"}, {"k" * 65: "x"}, {"a\x00b": "x"}], ids=["empty key", "long key", "NUL in key"]
)
def test_metadata_keys_are_checked(api: httpx2.Client, metadata: dict[str, str]) -> None:
    body = {"prompt": "hello", "metadata": metadata}
    for path in ("/v1/jobs", "/v1/chat"):
        problem = assert_problem(api.post(path, json=body), 422, "invalid_input")
        assert problem["param"].startswith("metadata.")


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt": "a\\u0000b"}',
        '{"prompt": "hello", "system": "\\u0000"}',
        '{"messages": [{"role": "user", "content": "\\u0000"}]}',
        '{"prompt": "hello", "model": "\\u0000"}',
        '{"prompt": "hello", "stop": ["\\u0000"]}',
        '{"prompt": "hello", "metadata": {"key": "\\u0000"}}',
        '{"prompt": "hello", "\\u0000": "x"}',
        '{"prompt": "hello", "temperature": NaN}',
        '{"prompt": "hello", "temperature": Infinity}',
        '{"prompt": "hello", "max_tokens": -Infinity}',
        '{"prompt": "hello", "max_tokens": 1e400}',
    ],
)
def test_text_and_numbers_that_cannot_be_stored_are_refused(api: httpx2.Client, body: str) -> None:
    assert_problem(api.post("/v1/jobs", content=body, headers=JSON), 422, "invalid_input")


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt": "\\ud800"}',
        '{"prompt": "\\udfff\\ud800"}',
        b'{"prompt": "\xed\xa0\x80"}',
        '{"messages": [{"role": "user", "content": "\\ud800"}]}',
        '{"messages": [{"role": "\\ud800", "content": "hello"}]}',
        '{"prompt": "hello", "model": "\\ud800"}',
        '{"prompt": "hello", "stop": ["\\ud800"]}',
        '{"prompt": "hello", "class": "\\ud800"}',
        '{"prompt": "hello", "metadata": {"key": "\\ud800"}}',
        '{"prompt": "hello", "metadata": {"\\ud800": "x"}}',
        '{"prompt": "hello", "\\ud800": "x"}',
    ],
)
def test_surrogates_without_their_half_are_no_text(api: httpx2.Client, body: str | bytes) -> None:
    assert_problem(api.post("/v1/jobs", content=body, headers=JSON), 400, "bad_json")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"prompt": "hello"',
        b"{'prompt': 'hello'}",
        b'{"prompt": "hello",}',
        b'{"prompt": "a\nb"}',
        b'{"prompt": "hello"} {"prompt": "again"}',
        b"prompt=hello",
        b"\xff\xfe",
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud8"}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"prompt": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b'{"prompt": "hello", "seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_refused(api: httpx2.Client, body: bytes) -> None:
    response = api.post("/v1/jobs", content=body, headers=JSON)
    assert_problem(response, 400, "bad_json")


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
def test_a_body_that_is_not_declared_as_json_is_refused(api: httpx2.Client, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert_problem(api.post("/v1/jobs", content=b'{"prompt": "hello"}', headers=headers), 422, "invalid_input")


def test_a_model_nobody_knows(api: httpx2.Client) -> None:
    problem = _assert_refused_everywhere(
        api, 404, "model_not_found", param="model", json={"prompt": "hello", "model": "gpt-17"}
    )
    assert "gpt-17" in problem["detail"]


@pytest.mark.parametrize(
    ("model", "variable"), [("gpt-5.4", "OPENAI_API_KEY"), ("claude-haiku-4-5", "ANTHROPIC_API_KEY")]
)
def test_a_model_whose_provider_is_off_names_its_switch(api: httpx2.Client, model: str, variable: str) -> None:
    problem = _assert_refused_everywhere(
        api, 404, "model_not_found", param="model", json={"prompt": "hello", "model": model}
    )
    assert variable in problem["detail"]


def test_no_provider_at_all_names_the_switches(connect: Connect, base_settings: Settings, tenant: Tenant) -> None:
    with serving(base_settings.model_copy(update={"local_model_url": None})) as url:
        client = connect(url, tenant.key)
        problem = _assert_refused_everywhere(client, 422, "no_provider", json={"prompt": "hello"})
        assert client.get("/health").json()["checks"]["postgres"] == "ok"
    assert "OPENAI_API_KEY" in problem["detail"]


def test_more_tokens_than_the_model_can_write(api: httpx2.Client) -> None:
    request = {"prompt": "hello", "model": "smollm2-135m", "max_tokens": 2049}
    problem = _assert_refused_everywhere(api, 400, "invalid_input", param="max_tokens", json=request)
    assert "2048" in problem["detail"]


def test_a_format_that_no_model_can_write(api: httpx2.Client) -> None:
    request = {"prompt": "hello", "response_format": "json_object"}
    _assert_refused_everywhere(api, 400, "invalid_input", param="response_format", json=request)


def test_a_prompt_that_fits_no_model(api: httpx2.Client) -> None:
    problem = _assert_refused_everywhere(api, 400, "invalid_input", param="messages", json={"prompt": "word " * 12_000})
    assert "8192" in problem["detail"]


@pytest.mark.parametrize("character", ["x", "\N{SNOWMAN}"])
def test_a_prompt_longer_than_allowed(api: httpx2.Client, character: str) -> None:
    content = json.dumps({"prompt": character * 200_001}, ensure_ascii=False).encode()
    problem = _assert_refused_everywhere(api, 413, "payload_too_large", param="messages", content=content, headers=JSON)
    assert "200001" in problem["detail"]


def test_a_body_larger_than_allowed(api: httpx2.Client) -> None:
    problem = _assert_refused_everywhere(api, 413, "payload_too_large", json={"prompt": "x" * LIMIT})
    assert str(LIMIT) in problem["detail"]


def test_a_stream_larger_than_allowed_is_cut_off(api: httpx2.Client) -> None:
    """Chunked: no length is declared, and more is offered than would ever be read."""

    def chunks() -> Iterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(120):
            yield b"x" * 100_000

    assert_problem(api.post("/v1/jobs", content=chunks(), headers=JSON), 413, "payload_too_large")


def test_a_small_stream_is_read(connect: Connect, service: str, tenant: Tenant) -> None:
    response = connect(service, tenant.key).post(
        "/v1/chat", params={"wait": "x"}, content=iter([b'{"prompt":', b' "hello"}']), headers=JSON
    )
    assert assert_problem(response, 422)["param"] == "wait"  # the body was fine


@pytest.mark.parametrize("length", ["-1", "1e9", "two", "99999999999999999999999"])
def test_a_length_that_is_none_is_refused(service: str, tenant: Tenant, length: str) -> None:
    address = urlsplit(service)
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.encode())
        status = connection.recv(100).split()[1]
    assert status in {b"400", b"413"}
