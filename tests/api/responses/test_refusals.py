"""What is not there, is somebody else's or does not fit: refused as OpenAI's client expects it."""

from typing import Any

import httpx2
import openai
import pytest
from api.conftest import Connect, Rows, assert_error
from api.talking import StreamingWorker, client
from conftest import Tenant
from openai import OpenAI

QUESTION = "What is the capital of France?"


@pytest.mark.parametrize("made", ["resp_" + "0" * 32, "resp_1", "chatcmpl-" + "0" * 32, "resp_" + "g" * 32, "résp"])
def test_an_id_that_means_nothing_is_not_found(asking: OpenAI, made: str) -> None:
    for call in (asking.responses.retrieve, asking.responses.cancel, asking.responses.delete):
        with pytest.raises(openai.NotFoundError):
            call(made)
    with pytest.raises(openai.NotFoundError):
        asking.responses.input_items.list(made)
    with pytest.raises(openai.BadRequestError) as caught:
        asking.responses.create(model="auto", input=QUESTION, previous_response_id=made)
    assert caught.value.code == "previous_response_not_found"


def test_another_tenant_finds_nothing(
    asking: OpenAI, able_service: str, worker: StreamingWorker, make_tenant: Any
) -> None:
    made = asking.responses.create(model="auto", input=QUESTION, background=True)
    worker.end(worker.claim(worker.newest()), "Paris.")
    stranger = client(able_service, make_tenant().key)
    for call in (stranger.responses.retrieve, stranger.responses.cancel, stranger.responses.delete):
        with pytest.raises(openai.NotFoundError):
            call(made.id)
    with pytest.raises(openai.BadRequestError):
        stranger.responses.create(model="auto", input=QUESTION, previous_response_id=made.id)
    assert asking.responses.retrieve(made.id).output_text == "Paris."


def test_jobs_of_other_doors_are_no_responses(asking: OpenAI, api: httpx2.Client) -> None:
    job = api.post("/v1/jobs", json={"prompt": "once"}).json()["id"]
    with pytest.raises(openai.NotFoundError):
        asking.responses.retrieve(f"resp_{job.replace('-', '')}")


def test_nobody_without_a_key_is_heard(able_service: str) -> None:
    with pytest.raises(openai.AuthenticationError):
        client(able_service, "aico_live_wrong").responses.create(model="auto", input=QUESTION)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"model": "no-such-model"}, 404, "model"),
        ({"input": []}, 400, "input"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 400, "input.0"),
        ({"input": [{"type": {"a": 1}, "role": [1], "content": "x"}]}, 400, "input.0"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, 400, "input"),
        ({"tools": [{"type": "web_search"}]}, 400, "tools.0"),
        ({"background": True, "store": False}, 400, None),
        ({"max_output_tokens": 15}, 400, "max_output_tokens"),
        ({"max_output_tokens": 100_000, "model": "able"}, 400, "max_output_tokens"),
        ({"input": "x" * 200_001}, 413, "input"),
        ({"text": {"format": {"type": "json_object"}}, "model": "smollm2-135m"}, 400, "text.format"),
        ({"conversation": "conv_1"}, 400, "conversation"),
        ({"previous_response_id": 7}, 400, "previous_response_id"),
        ({"previous_response_id": "resp_1"}, 400, "previous_response_id"),
        ({"metadata": {"a": 1}}, 400, "metadata.a"),
        ({"aico": {"cache": "sometimes"}}, 400, "aico.cache"),
    ],
)
def test_bad_input_names_its_field_and_stores_nothing(
    connect: Connect, able_service: str, tenant: Tenant, rows: Rows, fields: Any, status: int, param: str | None
) -> None:
    body = {"model": "auto", "input": QUESTION, **fields}
    error = assert_error(connect(able_service, tenant.key).post("/v1/responses", json=body), status)
    assert (error["param"] or "").startswith(param or "")
    assert rows.jobs(tenant.id) == 0


@pytest.mark.parametrize("query", ["stream=x", "stream=true&starting_after=-1", "stream=true&starting_after=x"])
def test_a_bad_query_is_refused(
    asking: OpenAI, connect: Connect, able_service: str, tenant: Tenant, query: str
) -> None:
    made = asking.responses.create(model="auto", input=QUESTION, background=True, stream=False)
    assert_error(connect(able_service, tenant.key).get(f"/v1/responses/{made.id}?{query}"), 400)
