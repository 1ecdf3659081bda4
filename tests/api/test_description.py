"""What the API says about itself: providers, the OpenAPI document, and who may call it from a browser."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from api.conftest import PROBLEM, Connect, serving
from builders import completed
from pydantic import SecretStr

from aico.api.problems import speaks_openai
from aico.core.ids import new_id
from aico.core.inputs import ControlFields
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.wire.chat_answer import headers_of
from aico.wire.rate_limits import UNITS

SITE = "https://dashboard.example"
CONTROLS = ControlFields.model_fields
NATIVE = {"/v1/jobs", "/v1/jobs/{job_id}", "/v1/chat", "/v1/feedback", "/costs/summary", "/providers"}


@pytest.fixture(scope="module")
def with_site(base_settings: Settings) -> Iterator[str]:
    with serving(base_settings.model_copy(update={"cors_origins": (SITE,)})) as url:
        yield url


@pytest.fixture
def document(connect: Connect, service: str) -> dict[str, Any]:
    found: dict[str, Any] = connect(service).get("/openapi.json").json()
    return found


def test_providers_say_what_is_on_and_what_would_switch_the_rest_on(
    api: httpx2.Client, base_settings: Settings
) -> None:
    body = api.get("/providers").json()
    on = {provider["name"]: provider["configured"] for provider in body["providers"]}
    assert [name for name, configured in on.items() if configured] == ["local"]
    switches = {provider["name"]: provider["switched_on_by"] for provider in body["providers"]}
    assert switches["anthropic"] == "ANTHROPIC_API_KEY"
    assert len(set(switches.values())) == len(switches)
    listed = {model for provider in body["providers"] for model in provider["models"]}
    assert listed == set(Catalogue.from_settings(base_settings).known)
    (local,) = body["models"]
    assert (local["id"], local["context_window"], local["max_output"]) == ("smollm2-135m", 8192, 2048)


def test_prices_are_dollars_per_million_tokens(connect: Connect, base_settings: Settings, api: httpx2.Client) -> None:
    assert Decimal(api.get("/providers").json()["models"][0]["input_dollars_per_million"]) > 0
    key = api.headers["Authorization"].removeprefix("Bearer ")
    secret = "a key that must stay here"
    switched_on = base_settings.model_copy(update={"openai_api_key": SecretStr(secret)})
    with serving(switched_on) as url:
        response = connect(url, key).get("/providers")
    (model,) = [model for model in response.json()["models"] if model["id"] == "gpt-5.4"]
    assert Decimal(model["output_dollars_per_million"]) > Decimal(model["input_dollars_per_million"]) > 1
    assert secret not in response.text


def test_every_native_route_describes_its_answers_and_its_errors(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert paths.keys() >= NATIVE
    for path in NATIVE:
        for operation in paths[path].values():
            assert operation["description"]
            responses = operation["responses"]
            assert {"401", "403", "422", "503"} <= responses.keys(), path
            for status, response in responses.items():
                media = "application/json" if status.startswith("2") else PROBLEM
                name = response["content"][media]["schema"]["$ref"].rpartition("/")[2]
                assert document["components"]["schemas"][name]["properties"]
                assert status.startswith("2") or name == "Problem"


def test_a_submit_shows_examples_and_the_lot_of_refusals(document: dict[str, Any]) -> None:
    for path in ("/v1/jobs", "/v1/chat"):
        operation = document["paths"][path]["post"]
        assert {"202", "400", "404", "413"} <= operation["responses"].keys()
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert reference == "#/components/schemas/JobRequest"
        assert operation["security"]
    schemas = document["components"]["schemas"]
    assert schemas["JobRequest"]["examples"]
    assert schemas["JobView"]["examples"]
    assert "HTTPValidationError" not in schemas  # refusals have one shape


def test_the_examples_are_accepted(document: dict[str, Any], api: httpx2.Client) -> None:
    examples = document["components"]["schemas"]["JobRequest"]["examples"]
    assert [api.post("/v1/jobs", json=example).status_code for example in examples] == [202] * len(examples)


def test_a_method_that_is_not_there_names_all_that_are(connect: Connect, service: str) -> None:
    client = connect(service)
    for path, allowed in (("/v1/jobs", "GET, POST"), (f"/v1/webhooks/{new_id()}", "DELETE, GET, PATCH")):
        refused = client.put(path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, allowed)
    openais = client.put("/v1/embeddings")
    assert (openais.headers["Allow"], openais.json()["error"]["code"]) == ("POST", "method_not_allowed")


def test_openais_routes_describe_errors_in_their_shape(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values() if speaks_openai(path) else ():
            refusals = {status: one for status, one in operation["responses"].items() if status >= "400"}
            assert {"401", "403", "503"} <= refusals.keys(), path
            shapes = {one["content"]["application/json"]["schema"]["$ref"] for one in refusals.values()}
            assert shapes == {"#/components/schemas/ErrorBody"}, path


def test_a_browser_elsewhere_may_not_call(connect: Connect, service: str) -> None:
    client = connect(service, Origin=SITE)
    assert "Access-Control-Allow-Origin" not in client.get("/health/live").headers
    preflight = client.options("/v1/jobs", headers={"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 405
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_a_configured_site_may_call(connect: Connect, with_site: str) -> None:
    client = connect(with_site, Origin=SITE)
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-tenant-id"}
    preflight = client.options("/v1/jobs", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == SITE
    refused = client.post("/v1/jobs", json={"prompt": "x"})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, SITE)
    too_large = client.post("/v1/jobs", content=b"x" * 8_000_001)
    assert (too_large.status_code, too_large.headers["Access-Control-Allow-Origin"]) == (413, SITE)


def test_a_page_may_send_our_controls_and_what_openais_client_says_about_itself(
    connect: Connect, with_site: str
) -> None:
    """The header names are those that openai-node 6 sends from a browser, and two of our own."""
    sent = (
        "authorization,content-type,idempotency-key,openai-organization,openai-project,x-stainless-arch,"
        "x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,"
        "x-stainless-runtime-version,x-stainless-timeout,x-aico-cache,x-aico-max-cost-cents"
    )
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": sent}
    preflight = connect(with_site, Origin=SITE).options("/v1/embeddings", headers=asked)
    assert preflight.status_code == 200, preflight.text
    allowed = {name.strip().lower() for name in preflight.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= set(sent.split(","))
    assert allowed >= {"x-aico-" + (field.alias or name).replace("_", "-") for name, field in CONTROLS.items()}


def test_a_page_may_read_how_its_answer_came_about(connect: Connect, with_site: str) -> None:
    response = connect(with_site, Origin=SITE).get("/health/live")
    exposed = {name.strip().lower() for name in response.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed >= {"x-request-id", "retry-after", "location", "x-should-retry", "ratelimit", "ratelimit-policy"}
    assert exposed >= {f"x-ratelimit-{what}-{unit}" for what in ("limit", "remaining", "reset") for unit in UNITS}
    routing = completed(new_id(), 1).routing
    assert routing is not None
    assert exposed >= headers_of(new_id(), routing.model_copy(update={"similarity": 0.97})).keys()


def test_another_site_may_not(connect: Connect, with_site: str) -> None:
    response = connect(with_site, Origin="https://elsewhere.example").get("/health/live")
    assert "Access-Control-Allow-Origin" not in response.headers
