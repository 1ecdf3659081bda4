"""Chat completions that cannot be answered: each is refused with the field at fault, and nothing is stored."""

from typing import Any

import pytest
from api.conftest import Connect, Rows, assert_error
from conftest import Tenant

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
PATH = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"model": "no-such-model"}, 404, "model"),
        ({"model": ""}, 400, "model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "messages.0"),
        ({"messages": [{"role": "user", "content": "\x00"}]}, 400, "messages.0.user.content"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, 400, "messages.0"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "messages.0.user.content"),
        ({"temperature": 3}, 400, "temperature"),
        ({"n": 0}, 400, "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, 400, "stop"),
        ({"tool_choice": "required"}, 400, None),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, 400, None),
        ({"stream_options": {"include_usage": True}}, 400, None),
        ({"tools": [TOOL], "model": "smollm2-135m"}, 400, "tools"),
        ({"n": 2, "model": "smollm2-135m"}, 400, "n"),
        ({"logprobs": True, "model": "smollm2-135m"}, 400, "logprobs"),
        ({"response_format": {"type": "json_schema"}}, 400, "response_format.json_schema.json_schema"),
        ({"frequency": 1}, 400, "frequency"),
        ({"functions": []}, 400, "functions"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, 400, "tools.0.function.name"),
        ({"metadata": {"a": 1}}, 400, "metadata.a"),
        ({"aico": {"cache": "sometimes"}}, 400, "aico.cache"),
        ({"aico": {"quality_floor": 0.99}}, 400, "quality_floor"),
        ({"aico": {"max_cost_cents": "0.000001"}, "model": "able"}, 402, "max_cost_cents"),
        ({"aico": {"baseline_model": "nobody"}}, 404, "baseline_model"),
        ({"aico": {"max_cost_cents": -1}}, 400, "aico.max_cost_cents"),
        ({"aico": {"tags": ["a b"]}}, 400, "aico.tags.0"),
    ],
)
def test_bad_input_names_its_field_and_stores_nothing(
    connect: Connect,
    able_service: str,
    tenant: Tenant,
    rows: Rows,
    fields: dict[str, Any],
    status: int,
    param: str | None,
) -> None:
    body = {"model": "auto", "messages": QUESTION, **fields}
    error = assert_error(connect(able_service, tenant.key).post("/v1/chat/completions", json=body), status)
    assert (error["param"] or "").startswith(param or "")
    assert rows.jobs(tenant.id) == 0


@pytest.mark.parametrize(
    ("headers", "param"),
    [
        ({"x-aico-cache": "sometimes"}, "x-aico-cache"),
        ({"x-aico-deadlnie": "1h"}, "x-aico-deadlnie"),
        ({"x-aico-quality-floor": "high"}, "x-aico-quality-floor"),
        ({"x-aico-deadline": "2030-01-01T00:00:00Z", "x-aico-completion-window": "1h"}, "x-aico-completion-window"),
        ({"x-aico-completion-window": "0h"}, "x-aico-completion-window"),
    ],
)
def test_a_wrong_header_is_named(
    connect: Connect, able_service: str, tenant: Tenant, rows: Rows, headers: dict[str, str], param: str
) -> None:
    asking = connect(able_service, tenant.key, **headers)
    error = assert_error(asking.post("/v1/chat/completions", json={"model": "auto", "messages": QUESTION}), 400)
    assert error["param"] == param
    assert rows.jobs(tenant.id) == 0


def test_malformed_bodies_are_refused(connect: Connect, able_service: str, tenant: Tenant) -> None:
    asking = connect(able_service, tenant.key)
    json_type = {"Content-Type": "application/json"}
    assert_error(asking.post("/v1/chat/completions", content=b"{", headers=json_type), 400, "bad_json")
    assert_error(asking.post("/v1/chat/completions", content=b"\xff\xfe", headers=json_type), 400)
    assert_error(asking.post("/v1/chat/completions", content=b"[]", headers=json_type), 400)
    assert_error(asking.post("/v1/chat/completions", content=b"{}"), 400)


def test_a_schema_with_numbers_that_json_lacks_is_refused(
    connect: Connect, able_service: str, tenant: Tenant, rows: Rows
) -> None:
    body = (
        b'{"model": "able", "messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function",'
        b' "function": {"name": "f", "parameters": {"type": "object", "maximum": 1e400}}}]}'
    )
    asking = connect(able_service, tenant.key)
    error = assert_error(asking.post(PATH, content=body, headers={"Content-Type": "application/json"}), 400)
    assert error["param"] == "tools.0.function.parameters"
    assert rows.jobs(tenant.id) == 0
