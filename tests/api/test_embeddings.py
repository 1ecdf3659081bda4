"""Embeddings as OpenAI's own client asks for them, from a real embed worker."""

import base64
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import numpy as np
import openai
import pytest
import redis
from api.conftest import Connect, serving
from api.embedding import embed_worker
from conftest import Tenant

from aico.api.vectors import ASKS_OF_A_REQUEST
from aico.core.embedding import BUNDLED_MODEL, DIMENSIONS
from aico.core.settings import Settings
from aico.embedding_service.factory import load_embedder
from aico.workers.queue import Queue, pushes, to_vectors

OWN_REDIS_DATABASE = "5"
TEXTS = ["A durable queue.", "Where is my parcel?", "naïve café \N{SNOWMAN}", "x"]
TOO_LONG = "many words " * 200


@pytest.fixture(scope="module")
def own_settings(base_settings: Settings, redis_url: str) -> Settings:
    url = f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}"
    return base_settings.model_copy(update={"redis_url": type(base_settings.redis_url)(url)})


@pytest.fixture(scope="module")
def address(own_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embed_worker(own_settings, tmp_path_factory.mktemp("embed")), serving(own_settings) as url:
        yield url


@pytest.fixture
def client(address: str, tenant: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=tenant.key, max_retries=0) as opened:
        yield opened


@pytest.fixture
def raw(connect: Connect, address: str, tenant: Tenant) -> httpx2.Client:
    return connect(address, tenant.key)


def vectors_of(answer: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array([item.embedding for item in answer.data], np.float32)


def test_vectors_are_the_models_own_in_the_order_of_the_texts(client: openai.OpenAI, own_settings: Settings) -> None:
    answer = client.embeddings.create(model="auto", input=TEXTS)
    embedder = load_embedder(own_settings)
    np.testing.assert_allclose(vectors_of(answer), embedder.embed(TEXTS), atol=2e-3)
    assert [item.index for item in answer.data] == list(range(len(TEXTS)))
    assert (answer.object, answer.data[0].object, answer.model) == ("list", "embedding", BUNDLED_MODEL)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(embedder.count(text) or 0 for text in TEXTS)


def test_both_encodings_carry_the_same_numbers(raw: httpx2.Client) -> None:
    ask = {"model": BUNDLED_MODEL, "input": "One text alone."}
    (plain,) = raw.post("/v1/embeddings", json=ask).json()["data"]
    (packed,) = raw.post("/v1/embeddings", json={**ask, "encoding_format": "base64"}).json()["data"]
    assert len(plain["embedding"]) == DIMENSIONS
    numbers = np.frombuffer(base64.b64decode(packed["embedding"]), "<f4")
    np.testing.assert_array_equal(numbers, np.array(plain["embedding"], np.float32))
    assert np.linalg.norm(numbers) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("model", [BUNDLED_MODEL, "all-MiniLM-L6-v2", "auto"])
def test_the_model_goes_by_several_names(client: openai.OpenAI, model: str) -> None:
    answer = client.embeddings.create(model=model, input="hello", dimensions=DIMENSIONS, user="somebody")
    assert (len(answer.data), answer.model) == (1, BUNDLED_MODEL)


def test_more_texts_than_one_ask_carries_come_back_in_order(client: openai.OpenAI) -> None:
    texts = [f"text {number % 7}" for number in range(150)]
    found = vectors_of(client.embeddings.create(model="auto", input=texts))
    assert found.shape == (150, DIMENSIONS)
    cosines = found @ found[:7].T
    assert cosines.argmax(axis=1).tolist() == [number % 7 for number in range(150)]


def test_two_thousand_and_forty_eight_texts_are_the_most(raw: httpx2.Client, client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model="auto", input=["a"] * 2048).data) == 2048
    refused = raw.post("/v1/embeddings", json={"model": "auto", "input": ["a"] * 2049})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")


@pytest.mark.parametrize(
    ("change", "param", "reason"),
    [
        ({"input": [TEXTS[0], TOO_LONG, TOO_LONG]}, "input.1", "more tokens"),
        ({"input": ["fits"] * 40 + [TOO_LONG]}, "input.40", "more tokens"),
        ({"input": [1, 2, 3]}, "input", "token ids"),
        ({"input": [[1, 2], [3]]}, "input", "token ids"),
        ({"input": []}, "input", "at least 1 item"),
        ({"input": ""}, "input.0", "at least 1 item"),
        ({"input": ["a", ""]}, "input.1", "at least 1 item"),
        ({"input": ["a", None]}, "input.1", "valid string"),
        ({"input": None}, "input", "valid list"),
        ({"input": "a\x00b"}, "input.0", "NUL"),
        ({"dimensions": 256}, "dimensions", "384"),
        ({"encoding_format": "int8"}, "encoding_format", "base64"),
        ({"inputs": "x"}, "inputs", "not permitted"),
        ({"model": ""}, "model", "at least 1 item"),
    ],
)
def test_what_cannot_be_embedded_is_named(raw: httpx2.Client, change: dict[str, Any], param: str, reason: str) -> None:
    refused = raw.post("/v1/embeddings", json={"model": "auto", "input": "x", **change})
    assert refused.status_code == 400, refused.text
    error = refused.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_input", param)
    assert reason in error["message"]


@pytest.mark.parametrize("model", ["text-embedding-3-small", "smollm2-135m", "auto:cheap"])
def test_another_model_gives_no_vectors(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError, match="MiniLM") as caught:
        client.embeddings.create(model=model, input="x")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_without_a_worker_callers_are_told_to_come_back(
    connect: Connect, service: str, tenant: Tenant, broker: redis.Redis
) -> None:
    """Nothing is left for long but messages that the next worker throws away."""
    broker.delete(Queue.EMBED.value)
    ask = {"model": "auto", "input": ["nobody is there"] * 200}
    refused = connect(service, tenant.key).post("/v1/embeddings", json=ask)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["error"]["code"] == "unavailable"
    assert all(broker.ttl(key) != -1 for key in broker.keys("aico:asks:*"))  # -1: kept for ever
    assert broker.llen(Queue.EMBED.value) == ASKS_OF_A_REQUEST
    broker.delete(Queue.EMBED.value)


def test_an_ask_that_was_given_up_is_passed_over(client: openai.OpenAI, own_settings: Settings, tenant: Tenant) -> None:
    """Its message is still in the queue, its texts are gone; so is an answer that nobody waits for."""
    with redis.Redis.from_url(own_settings.redis_url.get_secret_value()) as broker:
        for queue, messages in pushes([to_vectors(tenant.id, uuid4())]).items():
            broker.lpush(queue, *messages)
    assert len(client.embeddings.create(model="auto", input="still there?").data) == 1


def test_a_listener_that_lost_its_connection_hears_again(client: openai.OpenAI, own_settings: Settings) -> None:
    client.embeddings.create(model="auto", input="before")
    with redis.Redis.from_url(own_settings.redis_url.get_secret_value(), decode_responses=True) as admin:
        listening = [one for one in admin.client_list() if one["cmd"] == "blpop" and one["db"] == OWN_REDIS_DATABASE]
        assert listening
        for one in listening:
            admin.client_kill_filter(_id=one["id"])
    assert len(client.embeddings.create(model="auto", input="after").data) == 1


def test_without_redis_it_is_a_503(connect: Connect, base_settings: Settings, tenant: Tenant) -> None:
    dead = type(base_settings.redis_url)("redis://127.0.0.1:9/0")
    with serving(base_settings.model_copy(update={"redis_url": dead})) as url:
        refused = connect(url, tenant.key).post("/v1/embeddings", json={"model": "auto", "input": "x"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "server_error")
    assert refused.headers["Retry-After"] == "1"
