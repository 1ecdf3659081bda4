"""Models as OpenAI's own client lists them, and what this service adds."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import httpx2
import openai
import pytest
from api.conftest import serving
from conftest import Tenant
from pydantic import SecretStr

from aico.core.embedding import BUNDLED_MODEL
from aico.core.settings import Settings

SLASHED = "meta-llama/llama-3.3-70b"


@pytest.fixture(scope="module")
def address(base_settings: Settings) -> Iterator[str]:
    """A server with priced models, and with one whose id has a slash and whose price nobody knows."""
    changes = {
        "openai_api_key": SecretStr("a key"),
        "openai_compatible_url": "http://127.0.0.1:9/v1",
        "openai_compatible_models": (SLASHED,),
    }
    with serving(base_settings.model_copy(update=changes)) as url:
        yield url


@pytest.fixture
def client(address: str, tenant: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=tenant.key, max_retries=0) as opened:
        yield opened


def test_the_list_holds_what_can_be_called_and_what_chooses_for_the_caller(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert listed.keys() >= {"auto", "auto:cheap", "auto:quality", "smollm2-135m", "gpt-5.4", SLASHED, BUNDLED_MODEL}
    assert "claude-haiku-4-5" not in listed  # its provider is off
    assert all((model.object, type(model.created)) == ("model", int) for model in listed.values())
    assert (listed["gpt-5.4"].owned_by, listed["auto"].owned_by) == ("openai", "aico")


def test_a_model_tells_what_it_can_do_and_costs(client: openai.OpenAI) -> None:
    known = client.models.retrieve("gpt-5.4").to_dict()
    pricing = known["pricing"]
    assert isinstance(pricing, dict)
    assert float(pricing["output_dollars_per_million"]) > float(pricing["input_dollars_per_million"]) > 1
    assert 0 < float(pricing["cached_input_dollars_per_million"]) < float(pricing["input_dollars_per_million"])
    assert str(pricing["price_version"]).startswith("genai-prices ")
    assert date.fromisoformat(str(pricing["priced_on"])) <= datetime.now(UTC).date()
    assert known["context_window"] > known["max_output_tokens"] > 0  # type: ignore[operator]
    assert "tools" in known["capabilities"]  # type: ignore[operator]
    assert 0 <= known["quality"] <= 1  # type: ignore[operator]


def test_an_id_with_a_slash_is_found_and_an_unknown_price_is_null(client: openai.OpenAI) -> None:
    model = client.models.retrieve(SLASHED).to_dict()
    assert (model["id"], model["owned_by"]) == (SLASHED, "openai_compatible")
    pricing = model["pricing"]
    assert isinstance(pricing, dict)
    assert pricing.keys() >= {"input_dollars_per_million", "output_dollars_per_million", "price_version"}
    assert set(pricing.values()) == {None}


def test_prices_are_the_same_in_both_views(client: openai.OpenAI, address: str) -> None:
    headers = {"Authorization": f"Bearer {client.api_key}"}
    listed = {model["id"]: model for model in httpx2.get(f"{address}/providers", headers=headers).json()["models"]}
    for model in client.models.list():
        if model.id in listed:
            prices = model.to_dict()["pricing"]
            assert isinstance(prices, dict)
            assert {name: listed[model.id][name] for name in prices} == prices


def test_choosing_models_are_explained_and_have_no_price_of_their_own(client: openai.OpenAI) -> None:
    for name in ("auto", "auto:cheap", "auto:quality"):
        model = client.models.retrieve(name).to_dict()
        assert model["description"]
        assert model["quality"] is None
        assert set(model["pricing"].values()) == {None}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [BUNDLED_MODEL, "all-MiniLM-L6-v2"])
def test_the_embedding_model_goes_by_its_full_and_its_short_name(client: openai.OpenAI, name: str) -> None:
    model = client.models.retrieve(name).to_dict()
    assert (model["id"], model["context_window"], model["capabilities"]) == (BUNDLED_MODEL, 256, ["embeddings"])


@pytest.mark.parametrize(("name", "reason"), [("gpt-17", "does not exist"), ("claude-haiku-4-5", "ANTHROPIC_API_KEY")])
def test_a_model_that_cannot_be_called_is_not_found(client: openai.OpenAI, name: str, reason: str) -> None:
    with pytest.raises(openai.NotFoundError, match=reason) as caught:
        client.models.retrieve(name)
    assert (caught.value.code, caught.value.type, caught.value.param) == (
        "model_not_found",
        "invalid_request_error",
        "model",
    )


def test_a_stranger_sees_no_models(address: str) -> None:
    with (
        openai.OpenAI(base_url=f"{address}/v1", api_key="nobody", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()
