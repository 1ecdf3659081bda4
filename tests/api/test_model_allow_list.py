"""A key that is limited to models, at every door that takes prompts."""

from typing import Any

import httpx2
import pytest
from api.conftest import Connect, Rows, Workers, assert_error, assert_problem
from conftest import Tenant

from aico.core.keys import make_key
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope

ABLE, LOCAL = "able", "smollm2-135m"
SAID = [{"role": "user", "content": "Why?"}]


@pytest.fixture
def limited(connect: Connect, able_service: str, tenant: Tenant, database: Database) -> httpx2.Client:
    """Of a key that may use one of the two models there are."""
    key = make_key("limited")
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key, models=[ABLE]))
    return connect(able_service, key.secret.get_secret_value())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/jobs", {"prompt": "Why?", "model": LOCAL}),
        ("/v1/chat?wait=0", {"prompt": "Why?", "model": LOCAL}),
        ("/v1/quote", {"prompt": "Why?", "model": LOCAL}),
        ("/v1/chat/completions", {"messages": SAID, "model": LOCAL}),
        ("/v1/responses", {"input": "Why?", "model": LOCAL, "background": True}),
    ],
)
def test_another_model_is_refused_in_the_shape_of_the_door(
    limited: httpx2.Client, tenant: Tenant, rows: Rows, path: str, body: dict[str, Any]
) -> None:
    response = limited.post(path, json=body)
    if path in {"/v1/chat/completions", "/v1/responses"}:
        error = assert_error(response, 403, "model_not_allowed")
        assert error["param"] == "model"
    else:
        assert assert_problem(response, 403, "model_not_allowed")["param"] == "model"
    assert rows.jobs(tenant.id) == 0


def test_the_allowed_model_and_auto_are_taken(limited: httpx2.Client) -> None:
    for model in (ABLE, "auto", "auto:cheap"):
        assert limited.post("/v1/jobs", json={"prompt": "Why?", "model": model}).status_code == 202
    assert limited.post("/v1/quote", json={"prompt": "Why?"}).json()["now"]["model"] == ABLE


def test_the_list_of_models_shows_what_may_be_used(limited: httpx2.Client, connect: Connect, able_service: str) -> None:
    listed = {model["id"] for model in limited.get("/v1/models").json()["data"]}
    assert ABLE in listed
    assert LOCAL not in listed
    assert limited.get("/v1/whoami").json()["models"] == [ABLE]


def test_an_answer_that_another_model_gave_is_not_served_again(
    limited: httpx2.Client, connect: Connect, able_service: str, tenant: Tenant, workers: Workers
) -> None:
    body = {"prompt": "What is the capital of France?", "cache": "exact"}
    free = connect(able_service, tenant.key)
    first = free.post("/v1/jobs", json=body).json()
    workers.end(tenant.id, first["id"])
    assert free.post("/v1/jobs", json=body).json()["status"] == "completed"
    assert limited.post("/v1/jobs", json=body).json()["status"] == "queued"
