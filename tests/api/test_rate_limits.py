"""What a tenant may ask for in a minute, with the budgets in a real Redis that several servers share."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest
import redis
from api.conftest import Connect, Rows, assert_problem, serving
from conftest import Tenant
from pydantic import SecretStr
from structlog.testing import capture_logs

from aico.core.settings import Settings
from aico.wire.rate_limits import Standing, duration, fields

REQUESTS = 3
TOKENS = 1000
LIMIT_HEADERS = {
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "ratelimit",
    "ratelimit-policy",
}


@pytest.fixture(scope="module")
def limited(base_settings: Settings) -> Settings:
    return base_settings.model_copy(update={"tenant_requests_per_minute": REQUESTS})


@pytest.fixture(scope="module")
def replicas(limited: Settings) -> Iterator[tuple[str, str]]:
    with serving(limited) as one, serving(limited) as other:
        yield one, other


@pytest.fixture(scope="module")
def counting_tokens(base_settings: Settings) -> Iterator[str]:
    changes = {"tenant_tokens_per_minute": TOKENS, "tenant_requests_per_minute": 1000}
    with serving(base_settings.model_copy(update=changes)) as url:
        yield url


def submit(client: httpx2.Client, **body: Any) -> httpx2.Response:
    return client.post("/v1/jobs", json={"prompt": "how much is left?", **body})


def test_without_limits_there_is_nothing_to_say(api: httpx2.Client) -> None:
    assert LIMIT_HEADERS.isdisjoint(submit(api).headers)


def test_all_servers_draw_on_one_budget(
    connect: Connect, replicas: tuple[str, str], tenant: Tenant, rows: Rows
) -> None:
    clients = [connect(url, tenant.key) for url in replicas]
    accepted = [submit(clients[number % 2]) for number in range(REQUESTS)]
    assert [response.status_code for response in accepted] == [202] * REQUESTS
    left = [int(response.headers["x-ratelimit-remaining-requests"]) for response in accepted]
    assert left == [2, 1, 0]
    refused = submit(clients[1])
    assert_problem(refused, 429, "rate_limit_exceeded")
    assert rows.jobs(tenant.id) == REQUESTS


def test_a_refusal_says_when_to_come_back(connect: Connect, replicas: tuple[str, str], tenant: Tenant) -> None:
    client = connect(replicas[0], tenant.key)
    for _ in range(REQUESTS):
        submit(client)
    refused = submit(client)
    assert 1 <= int(refused.headers["Retry-After"]) <= math.ceil(60 / REQUESTS)
    assert refused.headers["x-should-retry"] == "true"
    assert refused.headers["x-ratelimit-limit-requests"] == str(REQUESTS)
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["ratelimit-policy"] == f'"requests";q={REQUESTS};w=60'
    name, remaining, until = refused.headers["ratelimit"].split(";")
    assert (name, remaining) == ('"requests"', "r=0")
    assert int(until.removeprefix("t=")) <= int(refused.headers["Retry-After"])


def test_openais_client_reads_a_refusal(connect: Connect, replicas: tuple[str, str], tenant: Tenant) -> None:
    client = connect(replicas[0], tenant.key)
    for _ in range(REQUESTS):
        submit(client)
    with (
        openai.OpenAI(base_url=f"{replicas[0]}/v1", api_key=tenant.key, max_retries=0) as theirs,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        theirs.embeddings.create(model="auto", input="one more")
    assert (caught.value.type, caught.value.code) == ("rate_limit_error", "rate_limit_exceeded")
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"


SAID = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/jobs", {"prompt": "x"}),
        ("/v1/chat", {"prompt": "x"}),
        ("/chat", {"prompt": "x"}),
        ("/v1/chat/completions", {"model": "gpt-17", "messages": SAID}),
        ("/v1/responses", {"model": "auto", "input": "x", "background": True}),
    ],
)
def test_every_way_of_submitting_counts(
    connect: Connect, replicas: tuple[str, str], tenant: Tenant, path: str, body: dict[str, Any]
) -> None:
    """One for a model that does not exist as well: whoever asks in vain asks."""
    client = connect(replicas[0], tenant.key)
    answers = [client.post(path, params={"wait": 0}, json=body) for _ in range(REQUESTS + 1)]
    assert [answer.status_code == 429 for answer in answers] == [False] * REQUESTS + [True]


def test_tenants_do_not_take_from_each_other_and_reading_is_free(
    connect: Connect, replicas: tuple[str, str], make_tenant: Callable[[], Tenant]
) -> None:
    busy, other = (connect(replicas[0], make_tenant().key) for _ in range(2))
    for _ in range(REQUESTS + 1):
        submit(busy)
    assert submit(other).status_code == 202
    assert busy.get("/v1/jobs").status_code == 200
    assert busy.post("/v1/quote", json={"prompt": "x"}).status_code == 200


def test_tokens_are_the_text_and_the_longest_answer(connect: Connect, counting_tokens: str, tenant: Tenant) -> None:
    client = connect(counting_tokens, tenant.key)
    first = submit(client, prompt="x" * 400, max_tokens=500)
    assert first.headers["x-ratelimit-remaining-tokens"] == str(TOKENS - 600)
    assert first.headers["ratelimit-policy"] == '"requests";q=1000;w=60, "tokens";q=1000;w=60;qu="tokens"'
    refused = submit(client, prompt="x" * 400, max_tokens=500)
    assert_problem(refused, 429, "rate_limit_exceeded")
    after = submit(client, prompt="x" * 4)
    assert after.status_code == 202, "what was refused took nothing"


def test_more_than_a_minute_grants_waits_for_a_full_budget(
    connect: Connect, counting_tokens: str, tenant: Tenant
) -> None:
    client = connect(counting_tokens, tenant.key)
    assert submit(client, max_tokens=2 * TOKENS).status_code == 202
    refused = submit(client)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 60


def test_without_redis_everything_passes_and_it_is_logged(connect: Connect, limited: Settings, tenant: Tenant) -> None:
    dead = SecretStr("redis://127.0.0.1:9/0")
    with capture_logs() as logs, serving(limited.model_copy(update={"redis_url": dead})) as url:
        client = connect(url, tenant.key)
        answers = [submit(client) for _ in range(REQUESTS + 1)]
    assert {answer.status_code for answer in answers} == {202}
    assert LIMIT_HEADERS.isdisjoint(answers[-1].headers)
    assert [entry["error"] for entry in logs if entry["event"] == "rate_limits_not_kept"] == ["ConnectionError"]


def test_budgets_run_out_of_redis_by_themselves(
    connect: Connect, replicas: tuple[str, str], tenant: Tenant, broker: redis.Redis
) -> None:
    submit(connect(replicas[0], tenant.key))
    (key,) = broker.keys(f"aico:limit:*{tenant.id}*")
    assert 0 < broker.ttl(key) <= 120


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0ms"), (0.12, "120ms"), (1, "1s"), (1.5, "1.5s"), (59.9999, "1m0s"), (360, "6m0s"), (3725.25, "1h2m5.25s")],
)
def test_durations_are_written_as_go_does(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_no_budgets_no_fields() -> None:
    assert fields([]) == {}
    both = fields([Standing("requests", 1, 1, 0, 0), Standing("tokens", 1, 1, 0, 0)])
    assert {name.lower() for name in both} == LIMIT_HEADERS
