"""Quotas as callers meet them: what is refused and how, what is left, and who may change it."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx2
import openai
import psycopg
import pytest
from api.conftest import Connect, Rows, Workers, assert_error, serving
from conftest import Tenant
from quotaing import MONTHLY_TOKENS, Budgets, paid

from aico.core.keys import make_key
from aico.core.quotas import Period, Quota, Unit
from aico.core.settings import Settings
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope

SAID = [{"role": "user", "content": "x"}]
EXPECTED = 14 + 50  # tokens of "x" with max_tokens 50


@pytest.fixture
def budgets(database: Database, tenant: Tenant) -> Budgets:
    return Budgets(database, tenant.id)


def submit(client: httpx2.Client, **body: Any) -> httpx2.Response:
    return client.post("/v1/jobs", json={"prompt": "x", "max_tokens": 50, "cache": "off", **body})


WAYS = [
    ("/v1/jobs", {"prompt": "x"}),
    ("/v1/chat", {"prompt": "x"}),
    ("/v1/chat/completions", {"model": "auto", "messages": SAID}),
    ("/v1/chat/completions", {"model": "auto", "messages": SAID, "stream": True}),
    ("/v1/responses", {"model": "auto", "input": "x"}),
    ("/v1/responses", {"model": "auto", "input": "x", "background": True}),
]


@pytest.mark.parametrize(("path", "body"), WAYS)
def test_every_way_in_is_refused_when_the_month_is_used_up(
    api: httpx2.Client, budgets: Budgets, rows: Rows, path: str, body: dict[str, Any]
) -> None:
    budgets.limit(MONTHLY_TOKENS, 1000)
    assert submit(api, max_tokens=980).status_code == 202
    refused = api.post(path, json=body)
    assert refused.headers["x-should-retry"] == "false"
    assert "Retry-After" not in refused.headers
    if path in {"/v1/jobs", "/v1/chat"}:
        problem = assert_quota_problem(refused, 402, "budget_exceeded")
        detail = problem["detail"]
        assert problem["violated-policies"] == ["tenant/month/tokens"]
    else:
        error = assert_error(refused, 402, "budget_exceeded")
        assert error["type"] == "insufficient_quota"
        detail = error["message"]
    assert "this tenant may use 1000 tokens a month (operator's quota)" in detail
    assert "0 are used, 994 reserved and 6 left" in detail
    assert f"resets at {budgets.standing().resets_at:%Y-%m-%dT00:00:00Z}" in detail
    assert rows.jobs(budgets.tenant) == 1


def assert_quota_problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    violated = body.pop("violated-policies")
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    return {**body, "violated-policies": violated}


def test_a_minute_is_worth_waiting_for(api: httpx2.Client, budgets: Budgets) -> None:
    minute = Quota("tenant", Period.MINUTE, Unit.REQUESTS)
    budgets.limit(minute, 1)
    answers = [submit(api) for _ in range(3)]  # the minute may end between two of them, but not twice
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert_quota_problem(refused, 429, "rate_limit_exceeded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["x-should-retry"] == "true"


def test_what_no_window_has_room_for_is_not_to_be_sent_again(api: httpx2.Client, budgets: Budgets) -> None:
    budgets.limit(Quota("tenant", Period.MINUTE, Unit.TOKENS), EXPECTED - 1)
    refused = submit(api)
    assert_quota_problem(refused, 402, "budget_exceeded")
    assert refused.headers["x-should-retry"] == "false"
    assert "this request alone may take 64" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("period", "limit"), [(Period.MONTH, EXPECTED), (Period.DAY, EXPECTED), (Period.MINUTE, EXPECTED - 1)]
)
def test_openais_client_sends_what_is_refused_with_402_once(
    api: httpx2.Client, service: str, tenant: Tenant, budgets: Budgets, period: Period, limit: int
) -> None:
    budgets.limit(Quota("tenant", period, Unit.TOKENS), limit)
    submit(api)
    requests: list[Any] = []
    with openai.OpenAI(base_url=f"{service}/v1", api_key=tenant.key, max_retries=4) as client:
        client._client.event_hooks["request"].append(requests.append)
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model="auto", messages=SAID, max_tokens=50)  # type: ignore[arg-type]
    assert (caught.value.status_code, caught.value.type, caught.value.code) == (
        *(402, "insufficient_quota", "budget_exceeded"),
    )
    assert len(requests) == 1


def test_what_the_cache_answers_is_free_and_served_when_all_is_used_up(
    api: httpx2.Client, budgets: Budgets, workers: Workers
) -> None:
    job = UUID(submit(api, cache="exact").json()["id"])
    workers.end(budgets.tenant, job)
    budgets.limit(MONTHLY_TOKENS, 0)
    hit = submit(api, cache="exact")
    assert (hit.status_code, hit.json()["status"]) == (202, "completed")
    assert submit(api, cache="off").status_code == 402
    assert budgets.figures() == (0, 0)


def test_a_repetition_under_its_key_reserves_once_and_is_answered_when_all_is_reserved(
    api: httpx2.Client, budgets: Budgets
) -> None:
    budgets.limit(MONTHLY_TOKENS, EXPECTED)
    body = {"prompt": "x", "max_tokens": 50, "cache": "off"}
    first, second = (api.post("/v1/jobs", json=body, headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert budgets.figures() == (0, EXPECTED)
    assert api.post("/v1/jobs", json=body, headers={"Idempotency-Key": "two"}).status_code == 402


def test_a_refused_request_may_use_its_key_again(api: httpx2.Client, budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, EXPECTED - 1)
    headers, body = {"Idempotency-Key": "again"}, {"prompt": "x", "max_tokens": 50, "cache": "off"}
    assert api.post("/v1/jobs", json=body, headers=headers).status_code == 402
    budgets.limit(MONTHLY_TOKENS, EXPECTED)
    assert api.post("/v1/jobs", json=body, headers=headers).status_code == 202


def test_a_cancelled_job_gives_back_what_it_reserved(api: httpx2.Client, budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, EXPECTED)
    job = submit(api).json()["id"]
    assert submit(api).status_code == 402
    assert api.post(f"/v1/jobs/{job}/cancel").status_code == 200
    assert budgets.figures() == (0, 0)
    assert submit(api).status_code == 202


def test_keys_and_tags_are_limited_apart_from_the_rest(
    api: httpx2.Client, connect: Connect, service: str, tenant: Tenant, budgets: Budgets, database: Database
) -> None:
    other = make_key("other")
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, other))
    budgets.limit(Quota(f"key:{tenant.key_id}", Period.DAY, Unit.TOKENS), 100)
    budgets.limit(Quota("tag:night", Period.DAY, Unit.TOKENS), 64)
    assert [submit(api).status_code for _ in range(2)] == [202, 402]
    theirs = connect(service, other.secret.get_secret_value())
    assert [submit(theirs, tags=["night", "x"]).status_code for _ in range(2)] == [202, 402]
    refused = submit(theirs, tags=["night"])
    assert "the tag 'night' may use 64 tokens a day" in refused.json()["detail"]
    assert [submit(theirs, tags=["day"]).status_code for _ in range(2)] == [202, 202]


def test_dead_letters_are_replayed_within_the_quota(api: httpx2.Client, budgets: Budgets, workers: Workers) -> None:
    letters = [submit(api).json()["id"] for _ in range(2)]
    for letter in letters:
        workers.fail(budgets.tenant, UUID(letter))
    budgets.limit(MONTHLY_TOKENS, EXPECTED)
    replayed = api.post("/v1/dead-letters/replay", json={})
    assert [one["letter"] for one in replayed.json()["replayed"]] == [letters[0]]
    assert replayed.json()["has_more"] is True
    assert_quota_problem(api.post("/v1/dead-letters/replay", json={}), 402, "budget_exceeded")
    assert_quota_problem(api.post(f"/v1/jobs/{letters[1]}/replay"), 402, "budget_exceeded")
    budgets.limit(MONTHLY_TOKENS, 2 * EXPECTED)
    assert api.post(f"/v1/jobs/{letters[1]}/replay").status_code == 202


@pytest.fixture
def replicas(base_settings: Settings) -> Iterator[list[str]]:
    with serving(base_settings) as one, serving(base_settings) as other:
        yield [one, other]


def test_two_hundred_at_once_at_two_servers_never_pass_a_budget_for_ten(
    replicas: list[str], tenant: Tenant, budgets: Budgets, workers: Workers, admin: psycopg.Connection[Any]
) -> None:
    """Every request that was let in then takes as much as was reserved for it: windows, jobs and ledger all say ten."""
    budgets.limit(MONTHLY_TOKENS, 10 * EXPECTED + EXPECTED - 1)
    statuses = at_once(replicas, tenant.key, 200)
    assert sorted(statuses) == [202] * 10 + [402] * 190
    assert budgets.figures() == (0, 10 * EXPECTED)
    jobs = [row[0] for row in admin.execute("select id from public.jobs where tenant_id = %s", (tenant.id,))]
    assert len(jobs) == 10
    for job in jobs:
        budgets.end(job, paid("1", EXPECTED))
    assert budgets.figures() == (10 * EXPECTED, 0)
    booked = admin.execute(
        "select sum(input_uncached + output), sum(cost_cents) from public.ledger_outbox where tenant_id = %s",
        (tenant.id,),
    ).fetchone()
    assert booked == (10 * EXPECTED, Decimal(10))
    assert at_once(replicas, tenant.key, 20) == [402] * 20
    assert budgets.figures() == (10 * EXPECTED, 0)


def at_once(urls: list[str], key: str, requests: int) -> list[int]:
    """How many requests, alternating between the servers, are answered in the end.

    A slow machine sends some away for want of a connection (503): they ask again by the same key, as clients do.
    """

    async def send() -> list[int]:
        limits = httpx2.Limits(max_connections=requests)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, limits=limits, timeout=60) as client:
            return await asyncio.gather(
                *(submit_until_answered(client, urls[number % len(urls)]) for number in range(requests))
            )

    return asyncio.run(send())


async def submit_until_answered(client: httpx2.AsyncClient, url: str) -> int:
    body = {"prompt": "x", "max_tokens": 50, "cache": "off"}
    headers = {"Idempotency-Key": str(uuid4())}
    for _ in range(5):
        response = await client.post(f"{url}/v1/jobs", json=body, headers=headers)
        if response.status_code != 503:
            break
    return response.status_code
